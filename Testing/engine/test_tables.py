"""Tables as spreadsheets of several countries write them: what stands between the cells is found in the heading."""

from __future__ import annotations

from pathlib import Path

import pytest
from dsir.batch.pairs import read_pairs
from dsir.errors import DsirError
from dsir.files.landmarks import read_landmarks
from dsir.files.points import read_points
from dsir.files.tables import delimiter, read_table


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("a,b,c", ","),
        ("a;b;c", ";"),
        ("a\tb\tc", "\t"),
        ("1,5;2,5;3,5", ","),
        ("name, long;value;unit", ";"),
        ("a", ","),
    ],
)
def test_the_mark_there_is_most_of_stands_between_the_cells(line: str, mark: str) -> None:
    assert delimiter(line) == mark


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_every_table_is_read_with_every_mark(tmp_path: Path, mark: str) -> None:
    def written(name: str, *lines: str) -> Path:
        (tmp_path / name).write_text("\n".join(lines).replace(",", mark), encoding="utf-8-sig")
        return tmp_path / name

    assert read_landmarks(written("l.csv", "fx,fy,fz,mx,my,mz", "1,2,3,4,5,6")).moving.tolist() == [[4, 5, 6]]
    assert read_points(written("p.csv", "l,p,s", "1,2,3")).points.tolist() == [[-1, -2, 3]]
    assert read_pairs(written("b.csv", "name,fixed,moving", "one,a,b"))["one"].moving == tmp_path / "b"


def test_lines_have_their_numbers_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a, b\n1, 2\n,\n\n3\n4,5,6\n")
    columns, lines = read_table(tmp_path / "t.csv", "The table")
    assert columns == ("a", "b")
    assert [(line.number, line.cells, line.surplus) for line in lines] == [
        (2, {"a": "1", "b": "2"}, False),
        (5, {"a": "3"}, False),
        (6, {"a": "4", "b": "5"}, True),
    ]


def test_what_is_no_table_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00a")
    for path in (tmp_path / "t.csv", tmp_path / "none.csv"):
        with pytest.raises(DsirError, match=f"The table .*{path.name} cannot be read"):
            read_table(path, "The table")
