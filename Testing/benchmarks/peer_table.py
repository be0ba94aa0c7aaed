"""The benchmark's rows as a table, on the screen and in Markdown."""

from __future__ import annotations

from typing import Any

from rich.table import Table

COLUMNS: dict[str, tuple[str, str]] = {
    "epe_mean": ("EPE mm", "{:.2f}"),
    "epe_p95": ("p95", "{:.1f}"),
    "dice_mean": ("Dice", "{:.3f}"),
    "hd95_mean": ("HD95 mm", "{:.1f}"),
    "tre_mean": ("TRE mm", "{:.2f}"),
    "tre_worst30": ("worst 30 %", "{:.2f}"),
    "folds_body": ("folds in body", "{:d}"),
    "folds": ("everywhere", "{:d}"),
    "sd_log_j": ("SD log J", "{:.2f}"),
    "cpu_s": ("CPU s", "{:.0f}"),
    "wall_s": ("wall s", "{:.0f}"),
    "peak_mib": ("peak MiB", "{:.0f}"),
}
"""Keys of a row, their heads and how they are written."""


def cells(row: dict[str, Any]) -> list[str]:
    """The row's texts, ``-`` where it has no figure."""
    if "error" in row:
        return [row["case"], row["method"], "failed", *["-"] * (len(COLUMNS) - 1)]
    found = [form.format(row[key]) if row.get(key) is not None else "-" for key, (_, form) in COLUMNS.items()]
    return [row["case"], row["method"], *found]


def as_screen_table(rows: list[dict[str, Any]]) -> Table:
    """For a terminal; a line between cases."""
    table = Table()
    table.add_column("case")
    table.add_column("method", no_wrap=True)
    for head, _ in COLUMNS.values():
        table.add_column(head, justify="right")
    for n, row in enumerate(rows):
        last = n + 1 == len(rows) or rows[n + 1]["case"] != row["case"]
        table.add_row(*cells(row), end_section=last)
    return table


def as_markdown(rows: list[dict[str, Any]], threads: int) -> str:
    """For a document."""
    heads = ["case", "method", *(head for head, _ in COLUMNS.values())]
    lines = [
        f"{threads} thread{'s' if threads > 1 else ''}; seconds and memory are those of the whole process. Folds: "
        "voxels where the Jacobian determinant is not positive by central or any one-sided differences.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "|".join(["---", "---", *["---:"] * len(COLUMNS)]) + "|",
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"
