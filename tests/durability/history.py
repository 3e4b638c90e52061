"""What a parent knows of the work of its children, and goes on knowing when they are killed."""

from tests.durability.observation import Ledger
from tests.durability.processes import Child, Message


class History:
    """The ledgers of the workers, and the highest seq and hlc that were acknowledged."""

    def __init__(self, workers: tuple[str, ...]) -> None:
        self.ledgers = {worker: Ledger(worker=worker) for worker in workers}
        self.clock = (0, 0)
        self.acknowledged = self.in_flight = 0

    def take(self, message: Message) -> None:
        """Note a report of a child."""
        match message:
            case ("checked", states):
                for worker, state in states.items():
                    self.ledgers[worker] = Ledger(worker=worker, state=state)
            case ("begins", worker, operation):
                self.ledgers[worker].begin(operation)
            case ("done", worker, (seq, hlc)):
                self.ledgers[worker].acknowledge()
                self.clock = (max(self.clock[0], seq), max(self.clock[1], hlc))
                self.acknowledged += 1

    def take_rest(self, child: Child) -> list[str]:
        """Note everything that a child still has to report, and return the kinds of it."""
        kinds = []
        while (message := child.receive()) is not None:
            self.take(message)
            kinds.append(str(message[0]))
        return kinds

    def count_kill(self) -> None:
        """Note what a kill interrupted."""
        self.in_flight += sum(ledger.in_flight is not None for ledger in self.ledgers.values())
