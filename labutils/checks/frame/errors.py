"""What the exception that an answer raised most likely means, told without the jargon."""

# What torch and Python say -> what to do. The first fragment that stands in the message counts.
_BY_TEXT = {
    "torch.return_types.": "torch.max, min, sort and topk with a dim give two results, values and "
    "indices: take one of them (.values or .indices). amax and argmax give just one.",
    "'list' object has no attribute": "A list stands where a tensor is needed.",
    "'bool' object has no attribute": "A comparison gave a single True or False, so one of its "
    "sides is no tensor. (torch.max with a dim gives a pair, values and indices; argmax gives the "
    "indices alone.)",
    "got an unexpected keyword argument 'axis'": "numpy's functions stumble over torch tensors: "
    "use torch's own (torch.sum, torch.exp, x.mean(dim=...)).",
    "can be converted to Python scalars": "Functions of the module math, float() and int() take "
    "one number. torch's functions of the same name (torch.exp, torch.log) take a whole tensor.",
    "Boolean value of Tensor with more than one value": "if, while, and, or need one True or "
    "False; this comparison gives one for each entry. Use torch.where, or pick entries by a mask.",
    "dim must be an int or None": "nn.Softmax(...) only builds the layer, and its argument is the "
    "dimension. Call what it gives with the tensor: nn.Softmax(dim=...)(x).",
    "must be Tensor, not ": "Something that is no tensor was handed on. nn.ReLU(...) builds a "
    "layer and computes nothing: make it once, then call it with x, or use F.relu(x).",
    "list is not a Module subclass": "nn.Sequential takes the layers one by one, not in a list: "
    "nn.Sequential(*layers), with the star.",
    "is not a Module subclass": "Only modules go into nn.Sequential: nn.ReLU() with brackets, not "
    "the class nn.ReLU, nor the function F.relu.",
    "Module.__init__() call": "The first line of __init__ must be super().__init__().",
    "context manager protocol": "The brackets are missing: `with torch.no_grad():`.",
    "required positional argument": "It was called as the exercise's signature says. Compare the "
    "arguments, and their defaults, with the line that the stub began with.",
    "waits for the keyboard": "A function is given all that it needs as arguments: input() has no "
    "place in it.",
    "allocate memory": "This asks for more memory than there is: look at the shapes, a broadcast "
    "may blow up.",
}

_BY_TYPE = {
    RecursionError: "The function calls itself and never stops: did you mean torch's function of "
    "that name?",
    SystemExit: "A function in a notebook returns its result; it never ends the program.",
    MemoryError: _BY_TEXT["allocate memory"],
    NameError: "A name is used that was never given a value: a typo, or a cell that was not run "
    "yet.",
    AttributeError: "Check the spelling, and (in a class) that __init__ stores the name on self.",
}

_GENERAL = "Call it yourself on a small example, and read the last line first."


def likely_cause(error: BaseException, text: str, in_this_call: str = "") -> str:
    """A hint for ``error``, whose message is ``text``.

    Args:
        in_this_call: what an error most likely means in this very call.
    """
    for fragment, hint in _BY_TEXT.items():
        if fragment in text:
            return f"{hint} {in_this_call}".strip()
    return _BY_TYPE.get(type(error), in_this_call or _GENERAL)
