"""Bytes to text: only UTF-8, with a helpful error for anything else.

chardet, if it is installed, guesses the encoding of other texts (`docs/decisions/0017-encodings.md`).
"""

from __future__ import annotations

import codecs
import io
import re
import shlex
import zipfile
from pathlib import PurePath

from helo.errors import HeloError

STANDARD_INPUT = "standard input"
_LOOKED_AT = 1 << 16  # bytes that a guess is made from

# How files begin that are no text; what is asked for in place of each.
_KINDS = (
    (b"%PDF-", "a PDF", "save it as plain text (pdftotext)"),
    (b"PK\x03\x04", "a zip archive", "unpack it"),
    (b"\x89PNG\r\n", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"GIF8", "a GIF picture", ""),
    (b"\x1f\x8b", "compressed by gzip", "name it FILE.gz, or unpack it"),
    (b"BZh", "compressed by bzip2", "unpack it"),
    (b"\xfd7zXZ\x00", "compressed by xz", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "save it as plain text, or a table as CSV in UTF-8"),
    (b"SQLite format 3\x00", "an SQLite database", "write its table as CSV"),
    (b"PAR1", "a Parquet file", "write it as CSV or JSONL"),
    (b"\x89HDF", "an HDF5 file", "write it as .npz or CSV"),
    (b"\x93NUMPY", "a NumPy array", "np.savez(file, x=…, y=…) writes an .npz"),
    (b"\x7fELF", "a program", ""),
    (b"RIFF", "a sound, a video or a picture", ""),
    (b"OggS", "a sound or a video", ""),
    (b"ID3", "a sound", ""),
)
_INSIDE = {
    "word/": ("a Word document (.docx)", "save it as plain text in UTF-8"),
    "xl/": ("a spreadsheet (.xlsx)", "save it as CSV in UTF-8"),
    "ppt/": ("a presentation (.pptx)", "save it as plain text in UTF-8"),
    "content.xml": ("an OpenDocument file", "save it as plain text or CSV in UTF-8"),
    "META-INF/container.xml": ("an EPUB book", "save it as plain text in UTF-8"),
}
_MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Python's name of a codec, to what people call it and what iconv does; where one holds all that another does, the larger.
_CALLED = {
    "gb18030": ("GB18030 (GBK)", "GB18030"),
    "big5hkscs": ("Big5", "BIG5-HKSCS"),
    "cp932": ("Shift-JIS", "CP932"),
    "euc_jp": ("EUC-JP", "EUC-JP"),
    "cp949": ("EUC-KR", "CP949"),
    "cp874": ("Windows-874 (TIS-620)", "CP874"),
    "iso2022_jp": ("ISO-2022-JP", "ISO-2022-JP"),
    "iso2022_kr": ("ISO-2022-KR", "ISO-2022-KR"),
    "mac-roman": ("Mac OS Roman", "MACINTOSH"),
    "mac-cyrillic": ("Mac OS Cyrillic", "MAC-CYRILLIC"),
    "mac-latin2": ("Mac OS Central European", "MAC-CENTRALEUROPE"),
    "koi8-r": ("KOI8-R", "KOI8-R"),
    "koi8-u": ("KOI8-U", "KOI8-U"),
    "koi8-t": ("KOI8-T", "KOI8-T"),
    "johab": ("Johab", "JOHAB"),
    "hp-roman8": ("HP Roman-8", "HP-ROMAN8"),
}
_LARGER = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030",
    "big5": "big5hkscs", "shift_jis": "cp932", "shift_jis_2004": "cp932", "euc_kr": "cp949", "euc_jis_2004": "euc_jp",
    "iso2022_jp_2": "iso2022_jp", "iso2022_jp_2004": "iso2022_jp", "iso2022_jp_ext": "iso2022_jp",
}  # fmt: skip
_SHIFTS = re.compile(rb"\x1b\$(?:[@B]|\)C)")  # as ISO 2022 begins an alphabet
# That iconv calls so too, give or take a hyphen.
_ICONV = ("cp125", "iso8859-", "cp437", "cp737", "cp775", "cp85", "cp86")


def decoded(data: bytes, where: str, at: int = 0, line: int = 1, mend: str = "") -> str:
    """Text of bytes that are UTF-8, as it stands, but for byte-order marks before it and, as `cat` of several files leaves
    them, before a line of it.

    where: the file. at: how many bytes of the file come before these. line: the number of their first line. mend: what
    else helps. Raises HeloError, with the byte and its line, for what is not UTF-8 or has a NUL, and says what it is.
    """
    where = STANDARD_INPUT if PurePath(where).name == STANDARD_INPUT else where

    def refusal(byte: int, found: str, remedy: str) -> HeloError:
        here = f"{where}:{line + data[:byte].count(10)}"
        return HeloError(f"byte {at + byte} {found}", mend=f"{remedy}, or {mend}" if mend else remedy, where=here)

    start = 0
    if at == 0:
        if known := kind(data):
            raise HeloError(known[0], expected="text in UTF-8", mend=known[1], where=where)
        start = 3 * data.startswith(codecs.BOM_UTF8)
    name = wide(data)
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        first = start + error.start
        remedy = _remedy(data, first, where) if name is None else _named(name, where)
        raise refusal(first, f"(0x{data[first]:02x}) is not UTF-8", remedy) from error
    if (first := data.find(0)) >= 0:  # of UTF-16 and UTF-32, what is ASCII is UTF-8 too, parted by NULs
        raise refusal(first, "is 0, which no text contains", "take it out" if name is None else _named(name, where))
    if found := _SHIFTS.search(data):
        name = "ISO-2022-KR" if found[0].endswith(b"C") else "ISO-2022-JP"
        raise refusal(found.start(), "changes the alphabet, which UTF-8 never does", _named(name, where))
    return text.replace("\n\ufeff", "\n") if "\ufeff" in text else text


def kind(data: bytes) -> tuple[str, str] | None:
    """(what it is, what mends it) of how a file begins that is no text."""
    for start, called, mend in _KINDS:
        if data.startswith(start):
            insides = _INSIDE.items() if called == "a zip archive" else ()
            names = _names(data) if insides else []
            return next(
                (known for inside, known in insides if any(n.startswith(inside) for n in names)), (called, mend)
            )
    return None


def _names(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except Exception:  # a damaged one, or only its beginning: the names stand before each of its files too
        return re.findall(r"PK\x03\x04.{26}([!-~]{1,80})", data.decode("latin-1"), re.DOTALL)


def wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by its mark, or by where its NULs stand."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    start = data[: 4096 - len(data[:4096]) % 4]
    if start.count(0) <= max(1, len(start) // 8):
        for name, low, high in (("UTF-16LE", start[::2], start[1::2]), ("UTF-16BE", start[1::2], start[::2])):
            # Beyond Latin letters little but spaces and ends of lines has a NUL, and these have one each.
            beside = [h for b, h in zip(low, high, strict=False) if b in b" \n"]
            if beside.count(0) >= 3 and 2 * beside.count(0) > len(beside):
                return name
        return None
    nul = [start[i::4].count(0) / max(1, len(start) // 4) for i in range(4)]
    if min(nul[2:]) > 0.9 and nul[0] < 0.5:
        return "UTF-32LE"
    if min(nul[:2]) > 0.9 and nul[3] < 0.5:
        return "UTF-32BE"
    low, high = nul[0] + nul[2], nul[1] + nul[3]
    return "UTF-16LE" if high > 4 * low else "UTF-16BE" if low > 4 * high else None


def _named(name: str, where: str) -> str:
    return f"it is {name}: {_command(name, where)}"


def _command(name: str, where: str) -> str:
    """What makes UTF-8 of a file, under a name that keeps what kind of file it is."""
    if where == STANDARD_INPUT:
        return f"iconv -f {name} -t utf-8 before it"
    path = PurePath(where)
    plain = path.name.removesuffix(".gz")
    to = path.with_name(f"{PurePath(plain).stem}.utf8{PurePath(plain).suffix}")
    file, to = shlex.quote(where), shlex.quote(str(to))
    if path.suffix == ".gz":
        return f"gzip -dc {file} | iconv -f {name} -t utf-8 > {to}"
    return f"iconv -f {name} -t utf-8 {file} > {to}"


def _remedy(data: bytes, byte: int, where: str) -> str:
    """What mends bytes that are not UTF-8: that place alone where all else is, else another encoding."""
    if damage := _damaged(data, byte):
        return damage
    lines = [line for line in data[: 1 << 22].split(b"\n") if not line.isascii()]
    sample = b"\n".join(lines)[:_LOOKED_AT]
    if 0 not in data and _typographic(sample):
        guess = f"it is likely Windows-1252 (its only non-ASCII characters are quotes and dashes), {_shown(data, byte, 'cp1252')}"
        return f"{guess}: {_command('WINDOWS-1252', where)}"
    found = _guessed(data[:_LOOKED_AT] if 0 in data else sample)
    if found is None:
        return "convert it to UTF-8 (to have helo guess its encoding: pip install chardet)"
    codec, sure = found
    if 0 in data and not codec.startswith(("utf-16", "utf-32")):
        return "it contains NULs, which no text does"
    if not codec:
        return "nor any encoding that chardet knows: is it text?"
    if codec.startswith(("utf-16", "utf-32")):
        return _named(codec.upper().replace("-LE", "LE").replace("-BE", "BE"), where)
    guess = f"{'likely' if sure >= 0.5 else 'perhaps'} {{}} (chardet is {100 * sure:.0f} % sure)"
    if sure < 0.02 and len(_read(data, "cp1252")) == len(data):
        codec, guess = "cp1252", "perhaps {}, the most usual one (too little non-ASCII text to be sure)"
    called, name = _spelled(codec)
    how = _command(name, where) if name else f"Python's codec {codec} reads it"
    return f"it is {guess.format(called)}, {_shown(data, byte, codec)}: {how}"


def _damaged(data: bytes, byte: int) -> str:
    """What is wrong with one place of what is UTF-8 elsewhere; "" where it is not."""
    if data[byte] == 0xED and len(data) > byte + 2 and 0xA0 <= data[byte + 1] < 0xC0:
        return "half of a surrogate pair, as in CESU-8: save the text as UTF-8"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data[byte:])
        return "the text ends inside a character: it was probably cut short"  # as far as it goes, it is UTF-8
    except UnicodeDecodeError:
        pass
    text = data.decode(errors="replace")
    broken = text.count("�") - data.count("�".encode())
    whole = sum(map(len, re.findall(r"[^\x00-\x7f�]+", text)))
    if whole < 4 * broken:
        return ""
    return f"all else of it is UTF-8 ({broken:,} place{'s are' * (broken > 1) or ' is'} not): correct it, or remove it"


def _typographic(sample: bytes) -> bool:
    """Whether all that is not ASCII would be Windows-1252's quotes, dashes and such; detectors go by letters."""
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    marks = set(re.sub(r"[\x00-\x7f]+", "", text))
    if re.search(r"[A-Za-z][‘“”•€][A-Za-z]", text):  # a letter of another encoding
        return False
    return bool(marks & set(_QUOTES)) and marks <= set(_QUOTES + "™©®°·\xa0«»£§¿¡")


_QUOTES = "‘’“”…–—•€"


def _guessed(sample: bytes) -> tuple[str, float] | None:
    """(Python's name of a codec, "" for none, and how sure it is); None without chardet 7."""
    try:
        import chardet
    except ImportError:
        return None
    without: list[str] = []
    while True:
        try:
            found = chardet.detect(sample, compat_names=False, exclude_encodings=without or None)
        except (TypeError, ValueError):  # an old one, which guesses worse
            return None
        codec = str(found["encoding"] or "").lower()
        text = _read(sample, codec)
        words = [w for w in re.findall(r"[^\W\d_]+", text) if not w.isascii()]
        if len(without) < 12 and 2 * sum(map(_mixed, words)) > len(words):
            without.append(codec)  # an alphabet that nobody mixes with Latin inside a word
            continue
        codec = "cp1252" if text and text == _read(sample, "cp1252") else _LARGER.get(codec, codec)  # the usual of two
        return codec if text else "", float(found["confidence"] or 0.0)


def _read(sample: bytes, codec: str) -> str:
    try:
        return sample.decode(codec, errors="ignore") if codec else ""
    except LookupError:
        return ""


def _mixed(word: str) -> bool:
    """Whether a word has both Latin letters and Greek, Cyrillic, Hebrew or Arabic ones."""
    return bool(re.search("[A-Za-z]", word) and re.search("[\u0370-\u06ff]", word))


def _spelled(codec: str) -> tuple[str, str]:
    """What people call it, and what iconv does, "" where it knows none."""
    if codec in _CALLED:
        return _CALLED[codec]
    name = codec.upper().replace("ISO8859", "ISO-8859")
    name = re.sub(r"CP(125\d)", r"WINDOWS-\1", name)
    called = name.replace("WINDOWS", "Windows")
    return called, name if codec.startswith(_ICONV) else ""


def _shown(data: bytes, byte: int, codec: str) -> str:
    """How the place reads in it, so that a person can see whether it is right."""
    start = data.rfind(b"\n", 0, byte) + 1
    end = data.find(b"\n", byte)
    line = data[start : end if end >= 0 else None]
    before = line[: byte - start].decode(codec, errors="replace")[-12:]
    after = line[byte - start :][:60].decode(codec, errors="ignore")[:24]
    shown = "".join(c if c.isprintable() else " " for c in before + after)
    return f"where it reads “{shown.strip()}”"
