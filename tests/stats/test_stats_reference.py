"""The published and independently computed values in reference_cases.json."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from reference import differences, main

HERE = Path(__file__).parent
CASES = json.loads((HERE / "reference_cases.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_reference_value_is_reproduced(case: dict[str, object]) -> None:
    assert differences(case) == []


def test_the_script_ends_with_one_line_of_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    late = {"id": "X1", "function": "of_next_year", "inputs": {}, "expected": {}, "abs_tol": 0}
    wrong = {**CASES[0], "id": "X2", "expected": {"p_exact": 0.5}}
    unknown_key = {**CASES[0], "id": "X3", "expected": {"no_such": 0.5}}
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [CASES[0], late, wrong, unknown_key]}), encoding="utf-8")
    assert main(str(file)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "X1 of_next_year: not available yet" in lines
    assert lines[-1] == "1 passed, 2 failed"


@pytest.mark.parametrize(
    "call",
    [
        "evaluate_metric('binary', [0, 1] * 40, [1, 1] * 40, margin=0.05)",
        "evaluate_metric('bounded', [0.1, 0.5] * 40, [0.2, 0.4] * 40, margin=0.05, value_range=(0, 1))",
        "evaluate_metric('ratio', [1.0, 2.0] * 40, [1.1, 1.9] * 40, margin=0.2)",
    ],
)
def test_a_verdict_never_imports_scipy_stats(call: str) -> None:
    program = f"from promptops.stats.metric import evaluate_metric; import sys; {call}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "scipy.special" in run.stdout.split()
    assert not {"scipy.stats", "scipy.optimize"} & set(run.stdout.split())


def test_a_policy_is_known_without_numpy() -> None:
    program = "import promptops.gate, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy"} & set(run.stdout.split())
