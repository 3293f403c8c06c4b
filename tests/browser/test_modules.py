"""The page's modules that compute: compared with well-known implementations, in a real browser."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

import gateway
from tests.support.playground import Playground

WEB = Path(gateway.__file__).parent / "web"
FIRST_LOAD_BYTES = 200_000


def random_mask(seed: int) -> np.ndarray:
    """Return (H, W) uint8: blobs, single pixels, full and empty columns."""
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 60, 2)
    mask: np.ndarray = (random.random((height, width)) < random.choice([0.02, 0.5, 0.98])).astype(np.uint8)
    if seed % 3 == 0:
        mask[:, random.integers(width)] = 1
    return mask


MASKS = [random_mask(seed) for seed in range(40)]
MASKS += [np.zeros((7, 5), np.uint8), np.ones((7, 5), np.uint8), np.ones((300, 4000), np.uint8)]


def test_masks_are_decoded_as_pycocotools_does(page: Playground) -> None:
    for mask in MASKS:
        coded = coco_mask.encode(np.asfortranarray(mask))
        code = """({ Mask }, rle) => {
          const mask = Mask.of(rle);
          const pixels = mask.pixels();
          const has = (at) => mask.has(at % mask.width, Math.floor(at / mask.width));
          const isSame = pixels.every((each, at) => Boolean(each) === has(at));
          return { pixels: pixels.join(""), area: mask.area, box: mask.box, isSame };
        }"""
        found = page.run("masks/mask.js", code, {"size": coded["size"], "counts": coded["counts"].decode()})
        assert found["pixels"] == "".join(map(str, mask.ravel()))
        assert found["area"] == mask.sum()
        assert found["isSame"]
        x, y, width, height = coco_mask.toBbox(coded).astype(int)
        expected = [x, y, x + width, y + height] if mask.any() else [0, 0, 0, 0]
        assert found["box"] == expected


def test_outlines_enclose_exactly_the_pixels_of_a_mask(page: Playground) -> None:
    code = """async ({ ringsOf, areaOf, simplified }, rle) => {
      const { Mask } = await import("/assets/masks/mask.js");
      const rings = ringsOf(Mask.of(rle));
      const path = new Path2D(rings.map((ring) => `M${ring.join("L")}Z`).join(""));
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      const [height, width] = rle.size;
      let filled = "";
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
        filled += Number(context.isPointInPath(path, x + 0.5, y + 0.5, "evenodd"));
      }
      const area = rings.reduce((sum, ring) => sum + areaOf(ring), 0);
      const simple = rings.map((ring) => simplified(ring, 1).length);
      return { filled, area, simple, full: rings.map((ring) => ring.length) };
    }"""
    for mask in MASKS[:-1]:
        coded = coco_mask.encode(np.asfortranarray(mask))
        found = page.run("masks/rings.js", code, {"size": coded["size"], "counts": coded["counts"].decode()})
        assert found["filled"] == "".join(map(str, mask.ravel()))
        assert found["area"] == mask.sum()
        for simple, full in zip(found["simple"], found["full"], strict=True):
            assert 3 <= simple <= full


def test_a_pixel_has_the_colour_of_the_smallest_mask_and_no_fill_covers_an_edge(page: Playground) -> None:
    code = """async ({ Layer }, masks) => {
      const { Mask } = await import("/assets/masks/mask.js");
      const layer = new Layer();
      const grid = { x: 0, y: 0, scale: 1, width: 20, height: 20 };
      const pixels = (order) => {
        layer.paint(order.map((i) => ({ mask: Mask.of(masks[i].rle), ...masks[i] })), grid, 1);
        const context = new OffscreenCanvas(20, 20).getContext("2d");
        layer.draw(context, { x: 0, y: 0, scale: 1 });
        return [...context.getImageData(0, 0, 20, 20).data];
      };
      return [pixels([0, 1]), pixels([1, 0])];
    }"""
    large, small = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    large[:, :12] = small[5:15, 8:18] = 1

    def given(mask: np.ndarray, colour: list[int], is_selected: bool = False) -> dict[str, object]:
        coded = coco_mask.encode(np.asfortranarray(mask))
        rle = {"size": coded["size"], "counts": coded["counts"].decode()}
        return {"rle": rle, "colour": colour, "isSelected": is_selected}

    red, blue = [255, 0, 0], [0, 0, 255]
    for painted in page.run("masks/layer.js", code, [given(large, red), given(small, blue)]):
        picture = np.array(painted).reshape(20, 20, 4)
        assert picture[10, 10].tolist() == [0, 0, 255, 97]  # both masks: the smaller one, with the opacity of one
        assert picture[10, 3].tolist() == [255, 0, 0, 97]
        assert picture[10, 11].tolist() == [255, 0, 0, 255]  # the edge of the larger one, under the smaller one
        assert picture[10, 19].tolist() == [0, 0, 0, 0]
    selected = page.run("masks/layer.js", code, [given(large, red, is_selected=True), given(small, blue)])
    assert np.array(selected[0]).reshape(20, 20, 4)[10, 9, :2].tolist() == [255, 0]


def test_a_digest_without_https_is_that_of_hashlib(page: Playground) -> None:
    for length in (0, 1, 55, 56, 64, 1000, 100_001):
        data = bytes(i * 7 % 256 for i in range(length))
        code = "({ sha256 }, length) => Array.from(sha256(Uint8Array.from({ length }, (_, i) => (i * 7) % 256)))"
        assert bytes(page.run("picture/digest.js", code, length)) == hashlib.sha256(data).digest()


@pytest.mark.parametrize("scale", [0.5, 1.0, 7.3])
def test_a_zoom_leaves_the_point_under_the_mouse_where_it_is(page: Playground, scale: float) -> None:
    code = """({ zoomed, toImage, toScreen }, scale) => {
      const view = { scale, x: -31, y: 12 };
      const place = [300, 200];
      const after = zoomed(view, 1.7, place, { scale: 0.1 });
      return [toImage(view, place), toImage(after, place), toScreen(after, toImage(after, place)), after.scale / scale];
    }"""
    before, after, place, ratio = page.run("stage/view.js", code, scale)
    assert after == pytest.approx(before)
    assert place == pytest.approx([300, 200])
    assert ratio == pytest.approx(1.7)


def texts(page: Playground, language: str) -> dict[str, dict[str, str]]:
    """Return the texts of a language by file."""
    names = sorted(file.name for file in (WEB / "texts" / language).iterdir())
    return {name: page.run(f"texts/{language}/{name}", "(module) => module.default") for name in names}


def test_chinese_has_every_text_with_the_same_values(page: Playground) -> None:
    english, chinese = texts(page, "en"), texts(page, "zh")
    assert english.keys() == chinese.keys()
    for file, named in english.items():
        assert named.keys() == chinese[file].keys(), file
        for name, text in named.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", chinese[file][name])), name


def test_every_text_that_the_pages_name_exists(page: Playground) -> None:
    english = set().union(*texts(page, "en").values())
    html = "".join(file.read_text() for file in WEB.glob("*.html"))
    named = set(re.findall(r'data-(?:text|label|hint)="(\w+)"', html))
    for file in WEB.rglob("*.js"):
        named |= set(re.findall(r'\btext\("(\w+)"', file.read_text()))
    assert named <= english
    assert len(named) > 60


def test_the_first_load_has_less_than_200_kilobytes(page: Playground) -> None:
    loaded = page.page.evaluate("performance.getEntriesByType('resource').map((each) => new URL(each.name).pathname)")
    files = [path.removeprefix("/assets/") for path in loaded if path.startswith("/assets/")]
    assert {"playground.js", "photo.jpg", "page/page.css"} <= set(files)
    sent = page.page.evaluate(
        "[...performance.getEntriesByType('resource'), performance.getEntriesByType('navigation')[0]]"
        ".reduce((sum, each) => sum + each.transferSize, 0)"
    )
    assert 0 < sent < FIRST_LOAD_BYTES
    assert len(gzip.compress((WEB / "playground.js").read_bytes())) < FIRST_LOAD_BYTES // 10


def test_every_problem_that_has_a_text_is_one_that_the_service_or_the_page_reports(page: Playground) -> None:
    english = set().union(*texts(page, "en").values())
    codes = {name.removeprefix("problem_") for name in english if name.startswith("problem_")}
    of_the_page = {"header_line", "no_picture", "offline", "other", "unreachable"}
    document = (Path(gateway.__file__).parents[1] / "docs" / "openapi.json").read_text()
    assert [code for code in sorted(codes - of_the_page) if f'"{code}"' not in document] == []
