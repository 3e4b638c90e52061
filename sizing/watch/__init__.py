"""Actual costs beside the plan: bills in, budgets, anomalies and a month-end forecast out (§8.3).

The path of an amount: ``bill_files`` reads rows of a file, ``formats`` knows the columns, ``bill_lines``
turns rows into typed lines, ``overlaps`` counts what is there twice once, ``services`` names the
component, ``ledger`` adds up. ``budgets``, ``anomalies``, ``smoothing``, ``forecasts`` and ``comparison``
judge a month; ``month_report`` puts it together and ``sizing.commands.watch`` shows it.
"""
