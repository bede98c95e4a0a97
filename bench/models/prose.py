"""English text that language models are calibrated and tested with: prose of our own, and what Python's modules say."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MODULES = (
    "argparse", "heapq", "random", "fractions", "statistics", "textwrap", "calendar", "shelve", "tempfile", "zipfile",
    "difflib", "datetime", "threading", "subprocess", "string", "bisect", "optparse", "pickletools", "decimal", "code",
)  # fmt: skip

PROSE = (
    "The mill stood at the bend of the river, where the water ran slow and brown in summer. In the spring it rose over "
    "the lower steps, and the miller's children floated boats of bark from the kitchen door. Nobody in the village "
    "could say how old the building was. The beams were black with age, and the great stone had been turned so often "
    "that its edge was as smooth as a plate.",
    "When the train stopped between two stations, most of the passengers looked up from their newspapers. A woman with "
    "a violin case on her knees asked whether there was a signal. The man across from her shook his head. He had taken "
    "this line for eleven years, he said, and it had never stopped here before. Outside, a field of wheat moved in the "
    "wind.",
    "To make a good loaf of bread you need flour, water, salt and time. Mix the flour with the water and leave it for "
    "half an hour before you add the salt. Fold the dough every thirty minutes until it holds its shape. Then let it "
    "rest in a cool place over night. Bake it in a very hot oven, with a bowl of water on the floor of it for steam.",
    "A proof that a computation was done right can be much shorter than the computation itself. Whoever checks it does "
    "not run the program again, and need not even know all of its inputs. The prover does more work than before, and "
    "the verifier far less. This is useful where many have to be convinced of the same result, and none of them trusts "
    "the one who computed it.",
    "The expedition reached the plateau on the fourth of May. The air was thin and the nights were cold, but the sky "
    "was clear for the first time in weeks. They put up the tents behind a wall of rock and melted snow for tea. The "
    "doctor examined everyone in turn. Two of the porters had frozen fingers, and one of the students could not sleep.",
    "Most birds that live in the forest are heard long before they are seen. The woodpecker drums on dead branches, "
    "the wren sings from the lowest bushes, and the jay warns all the others of anything that moves. If you sit still "
    "under a tree for half an hour, they forget that you are there. Then the first of them come down for seeds.",
    "The committee met in the town hall on Monday evening. There were three questions on the agenda: the new bridge, "
    "the price of water, and the school roof. The bridge took two hours. The engineer explained why the old piers "
    "could not be used again, and showed photographs of the cracks. In the end the mayor lost by one voice.",
    "Light takes about eight minutes to travel from the sun to the earth, and more than four years from the nearest "
    "other star. The galaxies that we see through large telescopes are so far away that their light left them before "
    "there were any animals on land. To look far out into space is therefore to look back in time.",
    "Grandmother kept the letters in a tin box under the stairs. They were tied with a blue ribbon and smelled of "
    "tobacco. After the funeral my sister and I sat on the floor and read them aloud, one after the other. We learned "
    "that she had once wanted to be a pilot, and that she had been in love with a man whose name we had never heard.",
    "The price of the house was more than they could pay, but they went to see it all the same. It had a garden with "
    "two apple trees and a shed full of broken tools. The kitchen window looked out over the harbor. When the agent "
    "asked what they thought, neither of them answered at once.",
)


def prose() -> str:
    return "\n\n".join(PROSE)


def documentation() -> str:
    """What modules of the standard library say of themselves and of their classes."""
    found = []
    for name in _MODULES:
        module = importlib.import_module(name)
        found += [inspect.getdoc(module) or ""]
        classes = [value for _, value in sorted(vars(module).items()) if inspect.isclass(value)]
        found += [inspect.getdoc(value) or "" for value in classes if value.__module__ == name]
    return "\n\n".join(text for text in found if len(text) > 200)


def windows(tokenizer: Any, tokens: int, count: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(windows to calibrate with, others to test with): rows of tokens, half of prose and half of documentation.

    Each begins with a sentence, and none of one kind lies over another. No text is in both: each is cut in halves.

    Args:
        tokenizer: of the package tokenizers
        count: of the windows of each kind, where the text has as many
    """
    random = np.random.default_rng(seed)
    halves: tuple[list[Any], list[Any]] = [], []
    for text in (prose(), documentation()):
        found = _windows(tokenizer, text, tokens)
        for half, part in zip(halves, np.array_split(found, 2), strict=True):
            half.append(part[np.sort(random.permutation(len(part))[: count // 2])])
    first, second = (np.concatenate(half).astype(np.int64) for half in halves)
    return first, second


def _windows(tokenizer: Any, text: str, tokens: int) -> NDArray[np.int64]:
    encoded = tokenizer.encode(text)
    sentences = {match.start() for match in re.finditer(r"(?:^|(?<=[.?!:]\s)|(?<=\n\n))[A-Z][a-z]* ", text)}
    begins = [at for at, (start, _) in enumerate(encoded.offsets) if {start, start + 1} & sentences]
    found, free = [], 0
    for at in begins:
        if at >= free and at + tokens <= len(encoded.ids):
            found.append(encoded.ids[at : at + tokens])
            free = at + tokens
    return np.array(found)
