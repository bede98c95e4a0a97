"""PTX, as NVIDIA's compiler makes it of a kernel, into C++ for the emulation: one statement an instruction.

What the compiler makes of a source is run this way without a GPU: its order of carry chains, its vector loads, its
branches. The carry flag is a variable of the function; every load and store is checked for alignment (PTX ISA, "State
spaces" and "Data movement": a vector's address is a multiple of the whole vector's size). An instruction that is not
known here is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

TYPES = {
    **{f"{kind}{bits}": f"uint{bits}_t" for kind in "bu" for bits in (8, 16, 32, 64)},
    **{f"s{bits}": f"int{bits}_t" for bits in (8, 16, 32, 64)},
    "pred": "bool",
}
REGISTERS = {"p": "bool", "rs": "uint16_t", "r": "uint32_t", "rd": "uint64_t"}
SPECIAL = {"%tid": "threadIdx", "%ntid": "blockDim", "%ctaid": "blockIdx", "%nctaid": "gridDim"}
COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
COMPARED |= {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
SHARED = "zk_shared"
PRELUDE = """
#include <cstdio>
#include <cstdlib>
#define ALWAYS static inline __attribute__((always_inline))
[[noreturn]] static void misaligned(const char* what, uint64_t address) {
    fprintf(stderr, "misaligned address %llx: %s\\n", (unsigned long long)address, what);
    abort();
}
template <class T>
ALWAYS T* place(uint64_t address, uint32_t size, const char* what) {
    if (address % size) misaligned(what, address);
    return reinterpret_cast<T*>(address);
}
ALWAYS uint32_t carried(uint64_t sum, uint32_t& carry) {
    carry = (uint32_t)(sum >> 32) & 1u;
    return (uint32_t)sum;
}
ALWAYS uint32_t high(uint32_t a, uint32_t b) { return (uint32_t)(((uint64_t)a * b) >> 32); }
template <class T>
ALWAYS T inserted(T field, T into, uint32_t begin, uint32_t length) {
    T mask = length >= sizeof(T) * 8 ? ~(T)0 : ((T)1 << length) - 1;
    return begin >= sizeof(T) * 8 ? into : (into & ~(mask << begin)) | ((field & mask) << begin);
}
template <class T>
ALWAYS T left_by(T x, uint32_t bits) { return bits >= sizeof(T) * 8 ? 0 : (T)(x << bits); }
template <class T>
ALWAYS T right_by(T x, uint32_t bits) { return bits >= sizeof(T) * 8 ? (x < 0 ? (T)-1 : (T)0) : (T)(x >> bits); }
"""


class UnknownPtx(Exception):
    """Text that this translation has no rule for."""


@dataclass(frozen=True)
class Instruction:
    """`@guard name.modifier... operands;`. `type` is the last modifier."""

    guard: str
    name: str
    modifiers: tuple[str, ...]
    operands: tuple[str, ...]
    text: str

    @property
    def type(self) -> str:
        return self.modifiers[-1]

    @property
    def bits(self) -> int:
        return int(self.type[1:])

    def has(self, modifier: str) -> bool:
        return modifier in self.modifiers

    def value(self, k: int, type_: str = "") -> str:
        """Operand k as a C++ expression of a PTX type, the instruction's own where none is named."""
        return value(self.operands[k], type_ or self.type)

    @property
    def target(self) -> str:
        return register(self.operands[0])


def register(text: str) -> str:
    if not re.fullmatch(r"%(p|rs|rd|r)\d+", text):
        raise UnknownPtx(f"{text} is no register")
    return text[1:]


def c_type(name: str) -> str:
    if name not in TYPES:
        raise UnknownPtx(f"the type {name}")
    return TYPES[name]


def value(text: str, type_: str) -> str:
    cast = c_type(type_)
    base, _, axis = text.partition(".")
    if base in SPECIAL and axis in "xyz":
        return f"{SPECIAL[base]}.{axis}"
    if text == SHARED:  # addresses of shared memory are places in it
        return "0"
    if text.startswith("%"):
        return f"({cast}){register(text)}"
    if not re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)U?", text):
        raise UnknownPtx(f"the operand {text}")
    return f"({cast}){text.rstrip('U')}ll"


def split(text: str) -> tuple[str, ...]:
    """Operands, apart at the commas outside of brackets."""
    return tuple(part.strip() for part in re.split(r",(?![^{(\[]*[})\]])", text) if part.strip())


# ---- memory


def address(text: str, space: str) -> str:
    found = re.fullmatch(r"\[\s*([%\w]+)(?:\+(-?\d+))?\s*\]", text)
    if not found:
        raise UnknownPtx(f"the address {text}")
    base, offset = found[1], int(found[2] or 0)
    if space == "shared":
        return f"(uint64_t){SHARED} + (uint32_t)({value(base, 'b32')} + {offset})"
    if space not in ("global", ""):
        raise UnknownPtx(f"the state space {space}")
    return f"{value(base, 'b64')} + {offset}ll"


def space_of(i: Instruction) -> str:
    return next((m for m in i.modifiers if m in ("global", "shared", "param", "local", "const")), "")


def lanes(i: Instruction, operand: int) -> list[str]:
    """The registers of a vector, or the one of a scalar."""
    return [part.strip() for part in i.operands[operand].strip("{}").split(",")]


def located(i: Instruction, operand: int, registers: list[str]) -> str:
    """`at`, a pointer to where a load or store goes, whose address is checked."""
    size = len(registers) * max(1, i.bits // 8)
    where = address(i.operands[operand], space_of(i))
    return f'auto* at = place<{c_type(i.type)}>({where}, {size}, "{i.text}");'


def load(i: Instruction) -> str:
    if space_of(i) == "param":
        return _of_parameter(i.operands[1], i, lanes(i, 0), "{0} = {1};")
    into = lanes(i, 0)
    # all are read before any is written: the address may be one of them
    reads = " ".join(f"auto v{k} = at[{k}];" for k in range(len(into)))
    return f"{located(i, 1, into)} {reads} " + " ".join(f"{register(x)} = v{k};" for k, x in enumerate(into))


def store(i: Instruction) -> str:
    if space_of(i) == "param":
        return _of_parameter(i.operands[0], i, lanes(i, 1), "{1} = {0};")
    of = lanes(i, 1)
    return f"{located(i, 0, of)} " + " ".join(f"at[{k}] = {value(x, i.type)};" for k, x in enumerate(of))


def _of_parameter(place: str, i: Instruction, registers: list[str], form: str) -> str:
    """Parameters are arrays of bytes, here as there."""
    found = re.fullmatch(r"\[(\w+)(?:\+(\d+))?\]", place)
    if not found:
        raise UnknownPtx(f"the parameter {place}")
    size, begin = i.bits // 8, int(found[2] or 0)
    at = (f"*({c_type(i.type)}*)({found[1]} + {begin + size * k})" for k in range(len(registers)))
    return " ".join(form.format(_assigned(x, i.type, form), p) for x, p in zip(registers, at, strict=True))


def _assigned(text: str, type_: str, form: str) -> str:
    return register(text) if form.startswith("{0}") else value(text, type_)


def atomic(i: Instruction) -> str:
    if i.modifiers[-2:] != ("add", "u32"):
        raise UnknownPtx(i.text)
    operand = int(i.name == "atom")
    where = address(i.operands[operand], space_of(i))
    call = f'atomicAdd(place<uint32_t>({where}, 4, "{i.text}"), {i.value(operand + 1)});'
    return f"{i.target} = {call}" if operand else call


def shuffle(i: Instruction) -> str:
    if i.modifiers != ("sync", "up", "b32"):
        raise UnknownPtx(i.text)
    into, _, predicate = i.operands[0].partition("|")
    body = f"uint32_t step = {i.value(2)}; {register(into)} = __shfl_up_sync({i.value(4)}, {i.value(1)}, step);"
    return body + (f" {register(predicate)} = zk_lane() >= step;" if predicate else "")


# ---- arithmetic


def product(i: Instruction) -> str:
    """The half of operands 1 and 2's product that the instruction names."""
    if i.has("hi"):
        if i.type != "u32":
            raise UnknownPtx(i.text)
        return f"high({i.value(1)}, {i.value(2)})"
    unsigned = f"u{i.bits}"
    return f"({c_type(unsigned)})({i.value(1, unsigned)} * {i.value(2, unsigned)})"


def wide(i: Instruction) -> str:
    doubled = f"{i.type[0]}{2 * i.bits}"
    more = f" + {i.value(3, doubled)}" if i.name == "mad" else ""
    return f"{i.target} = ({c_type(doubled)}){i.value(1)} * ({c_type(doubled)}){i.value(2)}{more};"


def sum_of(i: Instruction) -> str:
    """add, sub, mad and their forms that set the carry flag (.cc) or use it (the names that end in c)."""
    if i.has("wide"):
        return wide(i)
    multiplies, minus = i.name.startswith("mad"), i.name.startswith("sub")
    unsigned = f"u{i.bits}"
    terms = (product(i), i.value(3, unsigned)) if multiplies else (i.value(1, unsigned), i.value(2, unsigned))
    sign, sets, uses = "-" if minus else "+", i.has("cc"), i.name in ("addc", "subc", "madc")
    if not sets and not uses:
        return f"{i.target} = {terms[0]} {sign} {terms[1]};"
    if i.bits != 32:
        raise UnknownPtx(i.text)
    total = f"(uint64_t){terms[0]} {sign} {terms[1]}" + (f" {sign} carry" if uses else "")
    return f"{i.target} = carried({total}, carry);" if sets else f"{i.target} = (uint32_t)({total});"


def multiply(i: Instruction) -> str:
    return wide(i) if i.has("wide") else f"{i.target} = {product(i)};"


def move(i: Instruction) -> str:
    if i.operands[0].startswith("{"):
        low, high = (register(x) for x in lanes(i, 0))
        return f"uint64_t v = {i.value(1)}; {low} = (uint32_t)v; {high} = (uint32_t)(v >> 32);"
    if i.operands[1].startswith("{"):
        low, high = (value(x, "b32") for x in lanes(i, 1))
        return f"{i.target} = {low} | (uint64_t){high} << 32;"
    return f"{i.target} = {i.value(1)};"


def convert(i: Instruction) -> str:
    if len(i.modifiers) != 2:
        raise UnknownPtx(i.text)
    return f"{i.target} = ({c_type(i.modifiers[0])}){i.value(1)};"


def to_generic(i: Instruction) -> str:
    if i.has("local") or i.has("const"):
        raise UnknownPtx(i.text)
    base = f"(uint64_t){SHARED}" if i.has("shared") else "0"
    return f"{i.target} = {i.value(1)} {'-' if i.has('to') else '+'} {base};"


def compare(i: Instruction) -> str:
    if len(i.modifiers) != 2 or i.modifiers[0] not in COMPARED:
        raise UnknownPtx(i.text)
    return f"{i.target} = {i.value(1)} {COMPARED[i.modifiers[0]]} {i.value(2)};"


def select(i: Instruction) -> str:
    return f"{i.target} = {register(i.operands[3])} ? {i.value(1)} : {i.value(2)};"


def extreme(sign: str) -> Callable[[Instruction], str]:
    return lambda i: f"{i.target} = {i.value(1)} {sign} {i.value(2)} ? {i.value(1)} : {i.value(2)};"


def between(sign: str) -> Callable[[Instruction], str]:
    return lambda i: f"{i.target} = {i.value(1)} {sign} {i.value(2)};"


def called(name: str, *types: str) -> Callable[[Instruction], str]:
    """A function of the operands; an empty type is the instruction's own."""
    return lambda i: f"{i.target} = {name}({', '.join(i.value(k + 1, t) for k, t in enumerate(types))});"


def invert(i: Instruction) -> str:
    return f"{i.target} = {'!' if i.type == 'pred' else '~'}{i.value(1)};"


def barrier(i: Instruction) -> str:
    if i.name == "bar" and i.modifiers == ("warp", "sync"):
        return f"__syncwarp({value(i.operands[0], 'b32')});"
    if "sync" not in i.modifiers or i.operands != ("0",):
        raise UnknownPtx(i.text)
    return "__syncthreads();"


def call(i: Instruction) -> str:
    """A function of the module; afterwards nobody may count on the carry flag."""
    given = [part.strip(" ()") for part in i.operands]
    name = next(k for k, part in enumerate(i.operands) if not part.startswith("("))
    results = [x.strip() for part in given[:name] for x in part.split(",") if x.strip()]
    arguments = [x.strip() for part in given[name + 1 :] for x in part.split(",") if x.strip()]
    return f"{given[name]}({', '.join([*results, *arguments])}); carry ^= 1;"


RULES: dict[str, Callable[[Instruction], str]] = {
    **{name: sum_of for name in ("add", "addc", "sub", "subc", "mad", "madc")},
    "mul": multiply,
    "mov": move,
    "cvt": convert,
    "cvta": to_generic,
    "setp": compare,
    "selp": select,
    "ld": load,
    "st": store,
    "atom": atomic,
    "red": atomic,
    "shfl": shuffle,
    "bar": barrier,
    "barrier": barrier,
    "call": call,
    "not": invert,
    "min": extreme("<"),
    "max": extreme(">"),
    "div": between("/"),
    "rem": between("%"),
    "and": between("&"),
    "or": between("|"),
    "xor": between("^"),
    "shl": called("left_by", "", "u32"),
    "shr": called("right_by", "", "u32"),
    "brev": called("__brev", ""),
    "clz": called("__clz", ""),
    "popc": called("__popc", ""),
    "bfi": called("inserted", "", "", "u32", "u32"),
    "dp4a": called("__dp4a", "s32", "s32", "s32"),
    "neg": lambda i: f"{i.target} = 0 - {i.value(1, f'u{i.bits}')};",
    "ret": lambda i: "return;",
    "bra": lambda i: f"goto {label(i.operands[0])};",
}


# ---- functions and the whole


def label(text: str) -> str:
    return text.replace("$", "at_")


def statement(text: str) -> str:
    """One instruction as a block of C++."""
    guard = re.match(r"@(!?)%(p\d+)\s+", text)
    body = text[guard.end() :] if guard else text
    name, _, rest = re.sub(r"\s+", " ", body).strip().partition(" ")
    condition = f"if ({guard[1]}{guard[2]}) " if guard else ""
    first, *modifiers = name.split(".")
    if first not in RULES:
        raise UnknownPtx(text)
    shown = re.sub(r"\s+", " ", body.strip())
    return condition + "{ " + RULES[first](Instruction(condition, first, tuple(modifiers), split(rest), shown)) + " }"


def statements(body: str) -> Iterator[str]:
    """The C++ of a function's body, declarations of registers apart."""
    rest = ""
    for line in re.sub(r"//.*", "", body).splitlines():
        text = (rest + " " + line).strip()
        rest = ""
        if text in ("{", "}"):
            yield text
        elif re.fullmatch(r"\$\w+:", text):
            yield f"{label(text)};"
        elif not text.endswith(";"):
            rest = text
        elif local := re.fullmatch(r"\.param (?:\.align (\d+) )?\.b(\d+) (\w+)(?:\[(\d+)\])?;", text):
            yield f"alignas({local[1] or 8}) char {local[3]}[{local[4] or 8}];"
        elif text.startswith(".local"):
            raise UnknownPtx(f"{text} puts registers into memory")
        elif not text.startswith((".reg", ".loc", ".pragma")):
            yield statement(text.rstrip(";"))


def registers(body: str) -> str:
    """Declarations of all registers that occur."""
    found = sorted(set(re.findall(r"%((?:rs|rd|r|p)\d+)\b", body)))
    kinds: dict[str, list[str]] = {}
    for name in found:
        kinds.setdefault(name.rstrip("0123456789"), []).append(f"{name} = 0")
    return " ".join(f"{REGISTERS[kind]} {', '.join(names)};" for kind, names in kinds.items())


def body_of(text: str) -> str:
    return "\n".join(["uint32_t carry = 0;", registers(text), *statements(text)])


def functions(ptx: str) -> Iterator[str]:
    """Functions that kernels call: parameters and results are bytes in memory."""
    pattern = r"^\.func\s*(?:\(([^)]*)\))?\s*(\w+)\s*\(([^)]*)\)[^{;]*\{(.*?)^\}"
    for results, name, parameters, body in re.findall(pattern, ptx, re.S | re.M):
        names = re.findall(r"(\w+)(?:\[\d+\])?\s*(?:,|$)", f"{results.strip()},{parameters.strip()}")
        yield f"static void {name}({', '.join(f'char* {n}' for n in names if n)}) {{\n{body_of(body)}\n}}"


def kernels(ptx: str) -> Iterator[str]:
    """Entry points as the emulator finds them, each parameter a pointer to its bytes."""
    for name, parameters, body in re.findall(r"^\.visible \.entry (\w+)\((.*?)\)[^{]*\{(.*?)^\}", ptx, re.S | re.M):
        names = re.findall(r"(\w+_param_\d+)", parameters)
        declared = "\n".join(f"char* {n} = (char*)arguments[{k}];" for k, n in enumerate(names))
        yield f'extern "C" void zk_start_{name}(void** arguments) {{\n{declared}\n{body_of(body)}\n}}'


def cpp_of(ptx: str) -> str:
    """A module for the emulator. Raises UnknownPtx."""
    return "\n".join([PRELUDE, *functions(ptx), *kernels(ptx)])
