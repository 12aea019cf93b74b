"""What a campaign counted; campaigns add up."""

import msgspec


class Tally(msgspec.Struct, kw_only=True):
    """
    Counts of one campaign, or of several added up.

    ``crash_states``: disks after a power loss or a kill that were opened again and held against
    the oracle. ``faults``: errors and kills that were injected into a running operation.
    ``violations``: one sentence each, with what it takes to see it again. ``not_run``: what this
    machine does not allow, by name and with the reason.
    """

    crash_states: int = 0
    faults: int = 0
    mutants: int = 0
    mutants_caught: int = 0
    violations: list[str] = []
    not_run: list[str] = []

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            crash_states=self.crash_states + other.crash_states,
            faults=self.faults + other.faults,
            mutants=self.mutants + other.mutants,
            mutants_caught=self.mutants_caught + other.mutants_caught,
            violations=[*self.violations, *other.violations],
            not_run=[*self.not_run, *other.not_run],
        )
