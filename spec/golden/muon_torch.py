# Writes muon_torch.lua: three steps of torch.optim.Muon (PyTorch 2.15, CPU) on a wide and a tall matrix with fixed
# gradients: python3 spec/golden/muon_torch.py > spec/golden/muon_torch.lua
# PyTorch makes the update orthogonal in bfloat16, so it is about 1 % off what float32 gives.
import torch


def wave(*shape, step=0):
    n = 1
    for size in shape:
        n *= size
    return torch.sin(1.7 * torch.arange(1, n + 1).float() ** 1.3 + step).view(*shape)


def numbers(t):
    words = ["%.6g" % v for v in t.flatten().tolist()]
    return "{ " + ",\n      ".join(", ".join(words[i:i + 9]) for i in range(0, len(words), 9)) + " }"


print("-- Written by muon_torch.py with PyTorch %s; see there." % torch.__version__.split("+")[0])
print("return {")
for options, words in (
    (dict(lr=0.1, weight_decay=0.0), "lr = 0.1, weight_decay = 0"),
    (dict(lr=0.05, momentum=0.8, nesterov=False, weight_decay=0.5),
     "lr = 0.05, momentum = 0.8, nesterov = false, weight_decay = 0.5"),
):
    a, b = (torch.nn.Parameter(wave(*shape)) for shape in ((3, 6), (5, 2)))
    optimizer = torch.optim.Muon([a, b], adjust_lr_fn="match_rms_adamw", **options)
    for step in (1, 2, 3):
        a.grad, b.grad = wave(3, 6, step=step), wave(5, 2, step=-step)
        optimizer.step()
    print("  { { %s },\n    a = %s,\n    b = %s }," % (words, numbers(a), numbers(b)))
print("}")
