"""Tables as spreadsheets of several countries write them: what stands between the cells is found in the heading."""

from __future__ import annotations

from pathlib import Path

import pytest
from dsir.batch.pairs import read_pairs
from dsir.errors import DsirError
from dsir.files.landmarks import read_landmarks
from dsir.files.points import read_points
from dsir.files.tables import delimiter, read_table
from dsir.structures.label_names import read_names


@pytest.mark.parametrize(
    ("line", "mark"),
    [
        ("a,b,c", ","),
        ("a;b;c", ";"),
        ("a\tb\tc", "\t"),
        ("1,5;2,5;3,5", ";"),
        ("1,5\t2,5\t3,5", "\t"),
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


@pytest.mark.parametrize("mark", [";", "\t"])
@pytest.mark.parametrize("header", ["x;y;z\n", "sep=;\nx;y;z\n", ""])
def test_a_comma_is_the_point_of_a_number_where_it_stands_between_no_cells(
    header: str, mark: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{header}1,5;-2,25;3\n10;0;7,5\n".replace(";", mark))
    file = read_points(path)
    assert file.points.tolist() == [[1.5, -2.25, 3], [10, 0, 7.5]]
    file.write(tmp_path / "q.csv", file.points + 1)
    assert read_points(tmp_path / "q.csv").points.tolist() == [[2.5, -1.25, 4], [11, 1, 8.5]]
    assert "2,5000" in (tmp_path / "q.csv").read_text()
    (tmp_path / "l.csv").write_text("fx;fy;fz;mx;my;mz;tolerance\n1,5;2;3;4;5;6,5;1,5\n".replace(";", mark))
    pairs = read_landmarks(tmp_path / "l.csv")
    assert (pairs.fixed.tolist(), pairs.moving.tolist()) == ([[1.5, 2, 3]], [[4, 5, 6.5]])
    assert pairs.tolerance.tolist() == [1.5]


@pytest.mark.parametrize("line", ["1,234;2.5;3", "1.234,5;2;3", "1,234,567;2;3", "1_0;2;3"])
def test_commas_that_may_part_thousands_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"x;y;z\n{line}\n")
    with pytest.raises(DsirError, match="without three numbers"):
        read_points(tmp_path / "p.csv")


def test_tables_in_latin_1_are_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("x,y,z,name\n1,2,3,Läsion\n".encode("latin-1"))
    file = read_points(tmp_path / "p.csv")
    file.write(tmp_path / "q.csv", file.points)
    assert "Läsion" in (tmp_path / "q.csv").read_text(encoding="utf-8")
    (tmp_path / "n.csv").write_bytes("value;name\n1;Läsion\n".encode("latin-1"))
    assert read_names(tmp_path / "n.csv") == {1: "Läsion"}


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
