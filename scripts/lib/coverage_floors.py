"""Fail when a file of the integration is covered less than its floor.

To be run after a pytest run with `--cov`.
"""

from fnmatch import fnmatch
import json
from pathlib import Path
import subprocess
import sys
from tempfile import TemporaryDirectory

INTEGRATION = "custom_components/openclaw_voice"

FLOORS = (
    ("gateway/*", 100),
    ("config_flow.py", 100),
    ("connect_flow.py", 100),
    ("agent_flow.py", 100),
    ("agent_form.py", 100),
    ("notification_flow.py", 100),
    ("discovery.py", 100),
    ("entry_data.py", 100),
    ("first_contact.py", 100),
    ("flow_input.py", 100),
    ("gateway_url.py", 100),
    ("hosts.py", 100),
    ("pairing.py", 100),
    ("pending_keys.py", 100),
    ("text_pattern.py", 100),
    ("assist/context.py", 100),
    ("assist/scope.py", 100),
    ("assist/options.py", 100),
    ("assist/session_key.py", 100),
    ("assist/command*.py", 100),
    ("assist/consent*.py", 100),
    ("assist/phrases.py", 100),
    ("assist/speech/*", 100),
    ("assist/followup.py", 100),
    ("assist/spoken_answer.py", 100),
    ("assist/chat_deltas.py", 100),
    ("assist/own_words.py", 100),
    ("assist/patient.py", 100),
    ("assist/question.py", 100),
    ("assist/run_limit.py", 100),
    ("assist/timings.py", 100),
    ("assist/structured.py", 100),
    ("assist/task_errors.py", 100),
    ("assist/turn.py", 100),
    ("assist/turn_result.py", 100),
    ("outbox/answer_store.py", 100),
    ("outbox/asked.py", 100),
    ("outbox/late_answer.py", 100),
    ("outbox/notification.py", 100),
    ("outbox/notifications.py", 100),
    ("outbox/notification_options.py", 100),
    ("outbox/pending.py", 100),
    ("outbox/queue.py", 100),
    ("outbox/quiet_hours.py", 100),
    ("outbox/replies.py", 100),
    ("outbox/reply.py", 100),
    ("outbox/satellite_queue.py", 100),
    ("outbox/spoken_approval.py", 100),
    ("outbox/unsaid.py", 100),
    ("outbox/watch.py", 100),
    ("outbox/wording.py", 100),
    ("realtime/endpoint.py", 95),
    ("realtime/*", 100),
    ("*", 95),
)
"""Percent of lines and branches together; the first pattern that matches a file counts."""

SHOWN = 20
"""How many missing lines and branches of a file are named."""


def main() -> int:
    """Print what is below its floor, and return the exit code."""
    low = [
        (path, covered, floor, missing)
        for path, covered, missing in measured()
        if covered < (floor := floor_of(path))
    ]
    for path, covered, floor, missing in low:
        print(f"{path}: {covered:.1f} % covered, at least {floor} % wanted: {missing}")
    print(f"coverage: {len(low)} files below their floor" if low else "coverage: as wanted")
    return 1 if low else 0


def measured() -> list[tuple[str, float, str]]:
    """Return path, percent covered, and what is missing, of each measured file."""
    with TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        subprocess.run(
            [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(report)], check=True
        )
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return [
        (path, file["summary"]["percent_covered"], missing_parts(file))
        for path, file in files.items()
    ]


def missing_parts(file: dict[str, list[object]]) -> str:
    """Name the lines, and the branches between covered lines, that did not run."""
    lines = {*file["missing_lines"]}
    branches = [f"{start}->{end}" for start, end in file["missing_branches"] if start not in lines]
    parts = [*map(str, file["missing_lines"]), *branches]
    return ", ".join(parts[:SHOWN]) + (
        f" and {more} more" if (more := len(parts) - SHOWN) > 0 else ""
    )


def floor_of(path: str) -> int:
    """Return the floor of a file, in percent."""
    name = Path(path).relative_to(INTEGRATION).as_posix()
    return next(floor for pattern, floor in FLOORS if fnmatch(name, pattern))


if __name__ == "__main__":
    sys.exit(main())
