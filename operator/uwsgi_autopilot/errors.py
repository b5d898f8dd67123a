"""What can go wrong, as a person meets it.

`AutopilotError` is one clear sentence and the exit code of the command line; below it `UsageError` (2: the manifest or
the command line is wrong), of which `SpecError` names fields of the manifest, `NotServing` (1: the application
could not be served), and `TemplateError` (1: the chart's pod template cannot be used, so nothing is changed).
"""


class AutopilotError(Exception):
    exit_code = 1


class UsageError(AutopilotError):
    exit_code = 2


class SpecError(UsageError):
    """One or more wrong fields; `problems` are `(path, sentence)` in the manifest's order."""

    def __init__(self, problems: "list[tuple[str, str]]") -> None:
        self.problems = problems
        super().__init__("\n".join(f"{path}: {sentence}" if path else sentence for path, sentence in problems))


class NotServing(AutopilotError):
    pass


class TemplateError(AutopilotError):
    pass
