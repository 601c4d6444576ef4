"""Where commands write, and which files they leave alone."""

from pathlib import Path

import pytest

from zfrepro.outputs import MARK, OutputError, check, named


@pytest.mark.parametrize(
    ("out", "names"),
    [
        (None, ["a.b.png", "a.b.csv"]),
        ("cat", ["cat.png", "cat.csv"]),
        ("cat.first", ["cat.first.png", "cat.first.csv"]),
        ("cat.png", ["cat.png", "cat.csv"]),
        ("cat.csv", ["cat.png", "cat.csv"]),
        ("some.folder/cat", ["some.folder/cat.png", "some.folder/cat.csv"]),
    ],
)
def test_suffixes_are_added(out: str | None, names: list[str]) -> None:
    found = named(None if out is None else Path(out), "a.b", ".png", ".csv")
    assert found == [Path(name) for name in names]


def test_what_the_user_has_is_left_alone(tmp_path: Path) -> None:
    picture, table, link = tmp_path / "cat.png", tmp_path / "cat.csv", tmp_path / "link.png"
    check(picture)
    picture.write_bytes(b"a photograph")
    table.write_text("image,top,left,map,\n")
    for path, sign in ((picture, MARK), (table, "top,left,map,")):
        with pytest.raises(OutputError, match=f"{path.name} is there, and was not written by"):
            check(path, sign)
    picture.write_text(f"... {MARK} ...")
    table.write_text("top,left,map,activation\n1,2,3,4\n")
    check(picture)
    check(table, "top,left,map,")
    link.symlink_to(picture)
    with pytest.raises(OutputError, match=r"link\.png is what is to be read"):
        check(link, inputs=[picture])
    with pytest.raises(OutputError, match="is a folder"):
        check(tmp_path)
