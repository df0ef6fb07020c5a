# Writes fit_pillow.lua: pictures with alpha that Pillow resized. Made with Pillow 13.0.0:
# python3 spec/golden/fit_pillow.py > spec/golden/fit_pillow.lua
#
# For each case `bytes` is Image.resize of an "RGBA" or "LA" picture, which multiplies colours by alpha, resizes and
# divides again, all in 8 bits: colours are off by up to about 255 / alpha. `exact` is the same without that rounding:
# planes of floats, colour x alpha and alpha, resized by the same filter and divided here.
import textwrap

from PIL import Image


def picture(h, w, c):  # the spec's twin; every third pixel is transparent, every fifth opaque, colours are strong
    p = []
    for i in range(h * w):
        alpha = 0 if i % 3 == 0 else 255 if i % 5 == 0 else i * 67 % 256
        p.append(tuple((i * 91 + k * 83) % 256 for k in range(c - 1)) + (alpha,))
    return p


def planes(p, h, w, size, how):
    def resized(values):
        plane = Image.new("F", (w, h))
        plane.putdata(values)
        return list(plane.resize(size, how).getdata())

    alpha = resized([float(v[-1]) for v in p])
    colours = [resized([float(v[k] * v[-1]) for v in p]) for k in range(len(p[0]) - 1)]
    out = []
    for i, a in enumerate(alpha):
        visible = a + 0.5 >= 1
        out += [c[i] / a if visible else 0 for c in colours] + [a if visible else 0]
    return out


def say(key, values):
    text = "%s = { %s }," % (key, ", ".join("%.6g" % v for v in values))
    print("\n".join(textwrap.wrap(text, 116, initial_indent="    ", subsequent_indent="      ")))


print("-- Made by fit_pillow.py; not to be edited.")
print("return {")
for c, h, w, oh, ow in ((4, 8, 8, 4, 4), (4, 6, 9, 2, 3), (4, 3, 4, 6, 8), (2, 8, 12, 2, 3), (2, 2, 3, 6, 9)):
    p, how = picture(h, w, c), Image.BOX if oh < h else Image.BILINEAR
    image = Image.new("RGBA" if c == 4 else "LA", (w, h))
    image.putdata(p)
    print("  {")
    print("    shape = { %d, %d, %d }, size = { %d, %d }," % (h, w, c, oh, ow))
    say("bytes", [v for pixel in image.resize((ow, oh), how).getdata() for v in pixel])
    say("exact", planes(p, h, w, (ow, oh), how))
    print("  },")
print("}")
