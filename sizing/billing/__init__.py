"""What is billed for each kind of resource, as quantities; prices come from the catalogue.

One function per kind (``aws``, ``alicloud``, ``models``), used alike by a plan's bill, by the
published accuracy comparison, and by whoever prices resources that no plan describes.
"""
