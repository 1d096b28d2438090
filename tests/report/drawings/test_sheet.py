"""One picture of an architecture, as a trial leaves it."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from nni_emodarts.config import load_config
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.drawings.sheet import draw_sheet, write_sheet
from nni_emodarts.runtime.run_folder import RunFolder

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("preset", ["tiny", "compact"])
def test_a_sheet_holds_the_network_and_its_cells(preset: str, tmp_path: Path) -> None:
    architecture = random_architecture(load_config(preset).space, 4, (1, 40), 0)
    folder = RunFolder(tmp_path)
    folder.write_json("architecture.json", architecture.to_dict())
    data = write_sheet(folder)
    assert (tmp_path / "architecture.svg").read_bytes() == data == draw_sheet(architecture).encode()
    root = ElementTree.fromstring(data)
    parts = root.findall(f"{_SVG}g")
    kinds = {label.split("_")[0] for label in architecture.choices}
    assert len(parts) == 1 + len(kinds)
    tops = [float(part.attrib["transform"].split()[1].rstrip(")")) for part in parts]
    assert tops == sorted(set(tops))
    assert tops[-1] < float(root.attrib["height"].removesuffix("pt"))
    assert len(data) < 2_000_000


def test_ids_that_two_drawings_share_mean_the_same(tmp_path: Path) -> None:
    """Else the second would be drawn with the first's letters or clipped by its frame."""
    root = ElementTree.fromstring(draw_sheet(random_architecture(load_config("compact").space, 4, (1, 40), 0)))
    seen: dict[str, bytes] = {}
    for element in root.iter():
        if element.tag in (f"{_SVG}path", f"{_SVG}clipPath") and "id" in element.attrib:
            text = ElementTree.tostring(element).strip()
            assert seen.setdefault(element.attrib["id"], text) == text
