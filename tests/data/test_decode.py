"""Pixels of what image files really are, against Pillow, torchvision and hand-made values."""

import io
import struct
import zlib

import numpy as np
import pytest
from pictures import encoded, jpeg, photograph
from PIL import Image, ImageFile
from sklearn.datasets import load_sample_images
from torchvision import transforms

from zfrepro.data import decode as decoding
from zfrepro.data.decode import BadImageError, decode, fit


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(decode(content).image)


def test_the_format_is_found_from_the_content():
    content = encoded(photograph(0), "PNG")  # as ImageNet's n02105855_2933.JPEG
    decoded = decode(content)
    assert (decoded.format, decoded.mode) == ("PNG", "RGB")
    np.testing.assert_array_equal(np.asarray(decoded.image), np.asarray(photograph(0)))


def test_cmyk_is_not_inverted():
    photo = photograph(1)
    content = encoded(photo.convert("CMYK"), "JPEG", quality=100, subsampling=0)
    assert b"Adobe" in content[:200]  # whose CMYK is stored inverted
    decoded = decode(content)
    assert decoded.mode == "CMYK"
    assert np.abs(np.asarray(decoded.image) - np.asarray(photo).astype(int)).mean() < 3


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA"])
def test_other_colours_become_rgb(mode):
    photo = photograph(2).convert(mode)
    decoded = decode(encoded(photo, "PNG"))
    assert decoded.mode == mode
    np.testing.assert_array_equal(np.asarray(decoded.image), np.asarray(photo.convert("RGB")))


def test_a_grey_jpeg_has_three_equal_channels():
    image = pixels(encoded(photograph(3).convert("L")))
    assert image.shape == (70, 90, 3)
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 1] == image[..., 2]).all()


def test_16_bit_grey_keeps_its_high_byte():
    values = np.array([[0, 255, 256], [0x1234, 0x8000, 0xFFFF]], dtype=np.uint16)
    grey = pixels(encoded(Image.fromarray(values), "PNG"))[..., 0]
    np.testing.assert_array_equal(grey, [[0, 0, 1], [0x12, 0x80, 0xFF]])


def test_wider_pixels_have_no_known_range():
    for values in (np.full((4, 4), 70000, np.int32), np.full((4, 4), 0.5, np.float32)):
        with pytest.raises(BadImageError, match=r"^mode [IF]: "):
            decode(encoded(Image.fromarray(values), "TIFF"))


def test_exif_orientation_is_left_alone():
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to view"
    plain, turned = encoded(photograph(4)), encoded(photograph(4), exif=exif)
    assert plain != turned
    np.testing.assert_array_equal(pixels(plain), pixels(turned))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0" + b"\xff" * 40]
)
def test_broken_exif_is_tolerated(exif, recwarn):
    plain = encoded(photograph(5))
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    np.testing.assert_array_equal(pixels(plain[:2] + segment + plain[2:]), pixels(plain))
    assert not recwarn


def test_a_progressive_jpeg_and_the_first_frame_of_a_gif_are_read():
    assert pixels(encoded(photograph(6), progressive=True)).shape == (70, 90, 3)
    frames = [photograph(7).convert("P"), photograph(8).convert("P")]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(pixels(animated), np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero bytes"),
        (b"<html>404 Not Found</html>", "not an image"),
        (b"\xff\xd8\xff\xe0", "not an image|truncated"),
        (jpeg(9)[:1500], "truncated: "),
        (encoded(photograph(9), "PNG")[:2000], "truncated: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "not an image"),
    ],
)
def test_what_gives_no_pixels_says_why(content, reason):
    with pytest.raises(BadImageError, match=f"^({reason})"):
        decode(content)


def test_a_png_with_a_broken_chunk_is_bad():
    content = bytearray(encoded(photograph(9), "PNG"))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(BadImageError, match=r"^(broken|truncated): "):
        decode(bytes(content))


def test_an_image_too_large_to_be_true_is_not_unpacked():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = bytearray(encoded(Image.new("RGB", (8, 8)), "PNG"))
    content[16:29] = header
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    with pytest.raises(BadImageError, match=r"^too large: .*3600000000 pixels"):
        decode(bytes(content))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_a_large_profile_or_comment_is_no_fault(kind):
    plain = encoded(photograph(3), "PNG")
    large = chunk(kind, b"name\0\0" + zlib.compress(bytes(3 << 20)))
    np.testing.assert_array_equal(pixels(plain[:33] + large + plain[33:]), pixels(plain))


def test_avif_and_16_bits_of_colour_are_read():
    photo = photograph(3)
    avif = decode(encoded(photo, "AVIF", quality=95))
    assert avif.format == "AVIF"
    assert np.abs(np.asarray(avif.image) - np.asarray(photo).astype(int)).mean() < 4
    rows = b"".join(b"\0" + np.full((9, 3), 0x9C40 + y, ">u2").tobytes() for y in range(8))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 8, 16, 2, 0, 0, 0))
    deep = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(pixels(deep), np.full((8, 9, 3), 0x9C))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS: `git lfs pull`"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC, which is not read: save"),
        (b"PK\3\4" + bytes(99), "a zip archive"),
    ],
)
def test_what_is_taken_for_an_image_is_named(content, reason):
    with pytest.raises(BadImageError, match=f"^not an image: .*{reason}"):
        decode(content)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "PPM"])
def test_pixels_are_counted_before_they_are_decoded(kind, monkeypatch):
    content = encoded(photograph(3), kind)  # 90 x 70
    monkeypatch.setattr(decoding, "MEMORY", 90 * 70 * 17)
    assert decode(content).format == kind
    monkeypatch.setattr(decoding, "MEMORY", 90 * 70 * 4)
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(BadImageError, match=rf"^too large: 90 x 70 are 6,300 .*for {kind}$"):
        decode(content)


@pytest.mark.parametrize("kind", ["P5", "P6"])  # grey and RGB
def test_a_telephone_photograph_of_108_megapixels_is_not_too_large(kind, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: None)
    monkeypatch.setattr(decoding, "to_rgb", lambda image: image)
    assert decode(f"{kind} 12000 9000 255\n".encode()).image.size == (12000, 9000)


def test_a_tile_larger_than_its_image_is_not_unpacked():
    tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (277, 1), (322, 46_000)]
    tags += [(323, 46_000), (324, 200), (325, 60)]
    body = b"II*\0" + struct.pack("<IH", 8, len(tags))
    body += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    content = body.ljust(200, b"\0") + zlib.compress(bytes(50_000))
    with pytest.raises(BadImageError, match=r"^too large: 46000 x 46000 are 2,116,000,000 pixels"):
        decode(content)


def test_arrays_come_as_they_are():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    decoded = decode(grey)
    assert (decoded.format, decoded.mode) == (None, "L")
    np.testing.assert_array_equal(np.asarray(decoded.image)[..., 1], grey)


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (256, 256), (255, 400), (91, 37), (5, 3)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
def test_fit_equals_torchvisions_resize_and_centre_crop(size, name):
    photo = Image.fromarray(load_sample_images().images[0]).resize(size)
    expected = transforms.Compose(
        [
            transforms.Resize(64, transforms.InterpolationMode(name)),
            transforms.CenterCrop(64),
        ]
    )(photo)
    np.testing.assert_array_equal(np.asarray(fit(photo, 64, name)), np.asarray(expected))


def test_fit_averages_what_it_makes_smaller():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # would be all black or all white where every fourth pixel is taken
    small = np.asarray(fit(Image.fromarray(stripes), 64, "bilinear"))
    assert np.abs(small[:, 1:-1].astype(int) - 127).max() <= 1


@pytest.mark.parametrize("size", [(9000, 1), (1, 9001), (30_000, 3)])
def test_a_strip_is_cut_before_it_grows(size):
    strip = Image.new("RGB", size)
    middle = (size[0] // 2, size[1] // 2)
    strip.putpixel(middle, (255, 255, 255))
    fitted = np.asarray(fit(strip, 32, "bilinear"))
    assert fitted.shape == (32, 32, 3)
    assert fitted.max() > 100  # its middle is still the middle


def test_a_cut_off_multi_picture_file_reads_as_its_first():
    content = encoded(photograph(1), "MPO", save_all=True, append_images=[photograph(2)])
    whole = pixels(content)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(whole, expected)
