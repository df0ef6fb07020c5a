# Writes pictures_pillow.lua: small files of every kind, and the pixels that Pillow reads from them, upright by EXIF.
# Made with Pillow 12.3.0 (libjpeg-turbo 3.1.4, libwebp 1.6.0) and jpegtran of libjpeg-turbo 2.1.5:
# python3 spec/golden/pictures_pillow.py > spec/golden/pictures_pillow.lua
import base64
import io
import subprocess
import textwrap

from PIL import Image, ImageOps

W, H = 11, 9


def picture(mode):  # smooth, so that the files are small; every channel its own way, with strong colours
    im = Image.new(mode, (W, H))
    im.putdata([tuple((x * (17 - 5 * k) + y * (7 + 6 * k) + 40 * k * (x > 7)) % 256 for k in range(len(mode)))
                if len(mode) > 1 else (x * 11 + y * 9) % 256 for y in range(H) for x in range(W)])
    return im


def saved(mode, kind, **options):
    out = io.BytesIO()
    im = picture(mode)
    if kind == "gif":
        im = im.quantize(16)  # a small palette
    im.save(out, kind, **options)
    return out.getvalue()


def jpeg(mode="RGB", **options):
    return saved(mode, "jpeg", **{"quality": 90, "optimize": True, **options})


def exif(orientation, order):  # one directory of two entries
    def number(v, n):
        return v.to_bytes(n, "little" if order == "II" else "big")
    software = number(0x131, 2) + number(2, 2) + number(4, 4) + b"abc\0"
    turn = number(0x112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
    return order.encode() + number(42, 2) + number(8, 4) + number(2, 2) + turn + software + number(0, 4)


def with_exif(data, tiff):
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def without_marker(data, marker):
    at = data.index(b"\xff" + marker)
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2:at + 4], "big"):]


def arithmetic(data, *options):
    return subprocess.run(["jpegtran", "-arithmetic", *options], input=data, capture_output=True, check=True).stdout


def ycck(data):  # the last byte of Adobe's marker says how colours are coded
    at = data.index(b"Adobe") + 11
    return data[:at] + b"\x02" + data[at + 1:]


def chunk(name, data):
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def webp_with_exif(data, tiff, flags):  # in the extended container: what is to come, then the size less one
    size = (W - 1).to_bytes(3, "little") + (H - 1).to_bytes(3, "little")
    body = b"WEBP" + chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size) + data[12:] + chunk(b"EXIF", tiff)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def interlaced_gif():
    return saved("L", "gif", interlace=1)


def gif_on_a_canvas(left, top):  # of 16x12 pixels, larger than the frame
    data = bytearray(saved("L", "gif", interlace=0))
    data[6:10] = (16).to_bytes(2, "little") + (12).to_bytes(2, "little")
    at = data.index(b",\0\0\0\0" + W.to_bytes(2, "little") + H.to_bytes(2, "little"))
    data[at + 1:at + 5] = left.to_bytes(2, "little") + top.to_bytes(2, "little")
    return bytes(data)


def moving_webp(*places):  # on a canvas of 20x16, two frames; times and flags are 0
    def number(v, n=3):
        return v.to_bytes(n, "little")
    frames = b"".join(chunk(b"ANMF", number(left // 2) + number(top // 2) + number(W - 1) + number(H - 1) + number(0, 4)
                            + picture[30 if picture[12:16] == b"VP8X" else 12:]) for left, top, picture in places)
    body = b"WEBP" + chunk(b"VP8X", number(18, 4) + number(19) + number(15)) + chunk(b"ANIM", number(0, 6)) + frames
    return b"RIFF" + len(body).to_bytes(4, "little") + body


CMYK = jpeg("CMYK")
LOSSLESS = saved("RGB", "webp", lossless=True)
LOSSY = saved("RGBA", "webp", quality=60, exact=True)
FILES = {
    "jpeg": jpeg(), "jpeg 4:4:4": jpeg(subsampling=0), "jpeg 4:2:2": jpeg(subsampling=1),
    "jpeg of low quality": jpeg(quality=10), "jpeg grey": jpeg("L"), "jpeg progressive": jpeg(progressive=True),
    "jpeg grey, progressive": jpeg("L", progressive=True), "jpeg with restarts": jpeg(restart_marker_blocks=1),
    "jpeg of rgb": jpeg(keep_rgb=True), "jpeg cmyk": CMYK, "jpeg ycck": ycck(CMYK),
    "jpeg cmyk without Adobe's marker": without_marker(CMYK, b"\xee"),
    "jpeg arithmetic": arithmetic(jpeg()), "jpeg arithmetic, progressive": arithmetic(jpeg(), "-progressive"),
    **{f"jpeg turned {o}": with_exif(jpeg("L"), exif(o, "II" if o % 2 else "MM")) for o in range(1, 9)},
    "jpeg of colour, turned 6": with_exif(jpeg(), exif(6, "MM")), "jpeg turned 9": with_exif(jpeg("L"), exif(9, "II")),
    "webp lossless": LOSSLESS, "webp lossless, alpha": saved("RGBA", "webp", lossless=True, exact=True),
    "webp lossy": saved("RGB", "webp", quality=60), "webp lossy, alpha": LOSSY,
    "webp turned 6": webp_with_exif(LOSSLESS, exif(6, "II"), 8),
    "webp turned 3": webp_with_exif(LOSSLESS, b"Exif\0\0" + exif(3, "MM"), 8),
    "gif": saved("RGB", "gif", interlace=0), "gif interlaced": interlaced_gif(),
    "gif transparent": saved("RGB", "gif", transparency=3), "gif on a canvas": gif_on_a_canvas(2, 1),
    "webp that moves": moving_webp((4, 2, LOSSLESS), (0, 0, LOSSLESS)),
    "webp that moves, lossy, alpha": moving_webp((6, 6, LOSSY), (0, 0, LOSSLESS)),
}


def pixels(data, name):
    im = Image.open(io.BytesIO(data))
    if name == "gif on a canvas":  # transparent around the frame, as in browsers; Pillow takes a colour of the palette
        canvas = Image.new("RGBA", im.size)
        canvas.paste(im.convert("RGBA").crop((2, 1, 2 + W, 1 + H)), (2, 1))
        return canvas
    if name.startswith("gif"):
        im = im.convert("RGBA" if im.has_transparency_data else "RGB")
    elif im.mode == "CMYK":
        im = im.convert("RGB")
    return ImageOps.exif_transpose(im)


def say(key, data):
    text = base64.b64encode(data).decode()
    lines = textwrap.wrap("%s = [[ %s ]]," % (key, text), 116, initial_indent="    ", subsequent_indent="      ")
    print("\n".join(lines))


print("-- Made by pictures_pillow.py; not to be edited. `file` and `pixels` are in base64.")
print("return {")
for name, data in FILES.items():
    im = pixels(data, name)
    print('  { name = "%s", shape = { %d, %d, %d },' % (name, im.height, im.width, len(im.getbands())))
    say("file", data)
    say("pixels", im.tobytes())
    print("  },")
print("}")
