"""Made-up persons who talk with an assistant over two years, and questions whose answers are known by construction.

Every person has a workspace. Talks hold turns of both sides as raw memories; half of what the person tells is
distilled too. The wording of questions shares few words with that of answers, while remarks about other people share
many. Seeded: the same seed gives the same set on every machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.quality.dates import END_MS, name_day, name_month
from benchmarks.quality.notebook import DAY_MS, TALKS, Notebook, Talk
from benchmarks.quality.phrases import (
    capitalise,
    choose_friends,
    draw,
    list_values,
    speak,
    speak_to_one,
)
from benchmarks.quality.question_sets import Collection, Item, QuestionSet

SMALL_TALK = 8
"""Pairs of turns of a talk that say nothing to remember."""
TOLD, DELETED = 11, 2
"""Of 16 facts a person tells 11 and has told 2 that were deleted; the other 3 only others are mentioned with."""
UPDATED = ("employer", "home", "vehicle", "drink", "sport", "editor")
MOMENTS = 5
"""How often each kind of event happens to a person."""
STYLES = ("plain", "plain", "", "reply")
"""A fact is told plainly, in words that the question does not use, or as a reply that hardly says what it is about."""
KINDS = {"plain": "plain", "": "paraphrased", "reply": "in a reply"}


def make_persons(seed: int, persons: int) -> QuestionSet:
    """A set of persons; every second one speaks Chinese, and one in six is asked in the other language."""
    made = tuple(_Person(seed, number).make() for number in range(persons))
    return QuestionSet(name="made", collections=made, facts={"seed": seed, "persons": persons})


@dataclass
class _Told:
    """A fact as it was told: its value, and the keys of the turn and of the note, if there is one."""

    value: str
    detail: str
    style: str
    keys: frozenset[str]
    at_ms: int


class _Person(Notebook):
    """Tells its facts, events and plans, and knows the questions about them."""

    def make(self) -> Collection:
        """The whole person. What is told comes first, since turns get their places when all are known."""
        order = self.random.sample(self.facts, len(self.facts))
        told = order[:TOLD]
        deleted, untold = order[TOLD : TOLD + DELETED], order[TOLD + DELETED :]
        for fact in told:
            self._tell_fact(fact)
        for fact in deleted:
            self._tell_deleted(fact)
        for fact in untold:
            self.ask(fact, "abstention", draw(fact, "ask", self.asked_in, self.random), ())
        for fact in order:
            self.add_turn(self.any_session(), "user", draw(fact, "other", self.language, self.random))
        self._tell_events()
        self._tell_plans()
        self._tell_links()
        self.keep_knowledge()
        self._repeat_notes()
        self._talk()
        return Collection(
            name=self.name,
            language=self.language,
            items=(*self.place_turns(), *self.items, *self.notes),
            questions=tuple(self.questions),
            asked_ms=END_MS,
        )

    # -- what is told

    def _tell_fact(self, fact: Mapping[str, Any]) -> None:
        updated = fact["name"] in UPDATED
        values = self.random.sample(list_values(fact["values"]), 2)
        early, late = sorted(self.random.sample(range(TALKS), 2))
        noted = self.random.random() < 0.5
        now = self._tell(fact, values[0], self.talks[late], noted=noted)
        ask = draw(fact, "ask", self.asked_in, self.random)
        if not updated:
            kind = f"single-hop, {KINDS[now.style]}"
            self.ask(fact, kind, ask, (now.keys,), poisoned=self.random.random() < 0.15)
        else:
            then = self._tell(fact, values[1], self.talks[early], noted=noted)
            # An old note is superseded by the new one of its slot; the old turn stays what was said.
            self.ask(fact, "update", ask, (now.keys,), stale=then.keys)
            moment = (then.at_ms + now.at_ms) // 2
            self.ask(fact, "as of", ask, (then.keys,), stale=now.keys, as_of_ms=moment)
        by_value = draw(fact, "ask_v", self.asked_in, self.random)
        text = by_value.format(v=speak(values[0], self.asked_in), w=now.detail)
        self.ask(fact, "by name", text, (now.keys,))

    def _tell(self, fact: Mapping[str, Any], value: str, talk: Talk, *, noted: bool) -> _Told:
        detail = speak(self.random.choice(list_values(fact["w"])), self.language)
        said = speak(value, self.language)
        key = f"{self.name}/{fact['name']}/{talk.number}"
        style = self.random.choice(STYLES)
        text = draw(fact, style, self.language, self.random)
        if style == "reply":
            question, _, text = text.partition("|")
            if self.random.random() < 0.7:
                question = speak_to_one(draw(fact, "ask", self.language, self.random))
            self.add_turn(talk, "assistant", question)
        text = text.format(v=said, w=detail)
        self.add_turn(talk, "user", capitalise(text), key)
        keys = {key}
        if noted:
            note = draw(fact, "note", self.language, self.random).format(v=said, w=detail)
            keys.add(self.note(f"{key}/note", note, talk, made_of=key, slot=fact.get("slot", "")))
        return _Told(value=value, detail=detail, style=style, keys=frozenset(keys), at_ms=talk.start_ms)

    def _tell_deleted(self, fact: Mapping[str, Any]) -> None:
        talk = self.any_session()
        values = speak(self.random.choice(list_values(fact["values"])), self.language)
        key = f"{self.name}/{fact['name']}/deleted"
        text = draw(fact, "note", self.language, self.random).format(
            v=values, w=speak(self.random.choice(list_values(fact["w"])), self.language)
        )
        draft = self.draft(text, talk.start_ms, key)
        self.items.append(Item(key=key, draft=draft, deleted=True))
        self.ask(fact, "deletion", draw(fact, "ask", self.asked_in, self.random), ())

    def _tell_events(self) -> None:
        for number, event in enumerate(self.scenes["event"]):
            talks = self.random.sample(self.talks, MOMENTS)
            values = self.random.sample(event["values"], MOMENTS)
            keys = []
            for talk, value in zip(talks, values, strict=True):
                key = f"{self.name}/event-{number}/{talk.number}"
                text = draw(event, "", self.language, self.random).format(v=speak(value, self.language))
                self.add_turn(talk, "user", capitalise(text), key)
                keys.append(key)
            months = [name_month(talk.start_ms, "en") for talk in talks]
            for at in self.random.sample(range(MOMENTS), 2):
                talk = talks[at]
                by_month = months.count(months[at]) == 1 and self.random.random() < 0.5
                name = name_month if by_month else name_day
                when = name(talk.start_ms, self.asked_in)
                text = draw(event, "ask", self.asked_in, self.random).format(when=when)
                self.ask(event, "dated", text, (frozenset({keys[at]}),))

    def _tell_plans(self) -> None:
        """Plans for days that come weeks later: their date stands in the text, and is not when they were said."""
        plan = self.scenes["plan"]
        talks = self.random.sample(self.talks[:-6], 4)
        for number, (talk, value) in enumerate(zip(talks, self.random.sample(plan["values"], 4), strict=True)):
            key = f"{self.name}/plan-{number}"
            # Every second one falls on the day of another talk, of which much else is known.
            later = self.talks[talk.number + self.random.randrange(1, 6)].start_ms
            at_ms = later if number % 2 else later + self.random.randrange(1, 15) * DAY_MS
            told = draw(plan, "", self.language, self.random)
            self.add_turn(
                talk,
                "user",
                capitalise(
                    told.format(v=speak(value, self.language), when=name_day(at_ms, self.language).removeprefix("on "))
                ),
                key,
            )
            text = draw(plan, "ask", self.asked_in, self.random).format(
                when=name_day(at_ms, self.asked_in).removeprefix("on ")
            )
            self.ask(plan, "date in the text", text, (frozenset({key}),))

    def _tell_links(self) -> None:
        links = self.random.sample(self.scenes["link"], 5)
        friends = choose_friends(self.language, 8, self.random)
        for number, (link, friend) in enumerate(zip(links, friends, strict=False)):
            first, second = self.random.sample(self.talks, 2)
            key = f"{self.name}/link-{number}"
            self.add_turn(first, "user", draw(link, "", self.language, self.random).format(p=friend), key)
            tells = self.random.sample(self.scenes["tell"], 2)
            for place, tell in enumerate(tells):
                told = f"{key}/tell-{place}"
                self._tell_about(tell, friend, second, told)
                who = draw(link, "who", self.asked_in, self.random)
                text = draw(tell, "ask", self.asked_in, self.random).format(who=who)
                self.ask(tell, "multi-hop", text, (frozenset({key}), frozenset({told})))
        for friend in friends[5:]:
            for tell in self.scenes["tell"]:
                self._tell_about(tell, friend, self.any_session(), "")

    def _tell_about(self, tell: Mapping[str, Any], friend: str, talk: Talk, key: str) -> None:
        value = speak(self.random.choice(tell["values"]), self.language)
        text = draw(tell, "", self.language, self.random).format(p=friend, v=value)
        self.add_turn(talk, "user", text, key)

    def _repeat_notes(self) -> None:
        """Notes that come again: the same text in other letters or blanks, and nearly the same with another meaning."""
        for item in [one for one in self.notes if not one.draft.slot]:
            text = item.draft.content
            same = self.random.choice((text.upper(), f"  {text} ", text.replace(" ", "  ")))
            marked = f"{text}。" if self.language == "zh" else f"{text}."
            other = f"不再{text}" if self.language == "zh" else f"No longer {text[:1].lower()}{text[1:]}"
            for suffix, words, twin in (("same", same, True), ("marked", marked, True), ("unlike", other, False)):
                key = f"{item.key}/{suffix}"
                draft = self.draft(words, item.draft.valid_from_ms or END_MS, item.key if twin else key)
                self.items.append(Item(key=key, draft=draft, repeats=item.key, twin=twin, deleted=suffix == "unlike"))

    def _talk(self) -> None:
        chatter = self.scenes["chatter"]
        for talk in self.talks:
            for _ in range(SMALL_TALK):
                for role, key in (("user", "user"), ("assistant", "bot")):
                    words = {
                        name: self.random.choice(list_values(slot)) for name, slot in (("w", "city"), ("d", "weekday"))
                    }
                    spoken = {name: speak(word, self.language) for name, word in words.items()}
                    self.add_turn(talk, role, draw(chatter, key, self.language, self.random).format(**spoken))
