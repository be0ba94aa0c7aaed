"""Names of labels as spreadsheets and ITK-SNAP write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from dsir.errors import DsirError
from dsir.structures.label_names import read_names

SNAP = '# ITK-SnAP Label Description File\n    0     0    0    0        0  0  0    "Clear Label"\n'


@pytest.mark.parametrize(
    "text",
    [
        "value,name\n1,Liver\n2,Spleen\n",
        "\ufeffvalue;name\r\n1;Liver\r\n2;Spleen\r\n",
        "Name\tValue\nLiver\t1\nSpleen\t2\n",
        "Value, Name, colour\n1, Liver, red\n2, Spleen, blue\n\n",
        SNAP + '    1   255    0    0        1  1  1    "Liver"\n    2     0  255    0      0.5  1  1    "Spleen"\n',
    ],
)
def test_tables_and_descriptions_give_the_same_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.csv").write_text(text, encoding="utf-8")
    found = read_names(tmp_path / "n.csv")
    assert (found[1], found[2]) == ("Liver", "Spleen")


@pytest.mark.parametrize("text", ["", "value,name\n1\n", "a,b\n1,2\n", "value,name\nx,Liver\n"])
def test_what_gives_no_names_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "n.csv").write_text(text)
    with pytest.raises(DsirError, match="needs the columns value,name"):
        read_names(tmp_path / "n.csv")


def test_a_value_with_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("value,name\n1,Liver\n1,Spleen\n")
    with pytest.raises(DsirError, match="the value 1 two names, Liver and Spleen"):
        read_names(tmp_path / "n.csv")
