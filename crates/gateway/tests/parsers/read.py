"""Reads each case as Python's parsers do, and prints what they read differently from us."""

import email
import io
import json
import sys
import urllib.parse

import multipart


def refuse(word):
    raise ValueError(word)


def read_json(text):
    """Numbers as they are written, objects as their pairs in order."""
    pairs = lambda entries: ["object", *entries]
    return json.loads(
        text.decode("utf-8"),
        object_pairs_hook=pairs,
        parse_int=str,
        parse_float=str,
        parse_constant=refuse,
    )


def read_form(text):
    pairs = urllib.parse.parse_qsl(text.decode("utf-8"), keep_blank_values=True, errors="strict")
    return [list(pair) for pair in pairs]


def read_multipart(text, boundary):
    parser = multipart.MultipartParser(io.BytesIO(text), boundary, content_length=len(text))
    return [[part.name, part.raw.hex()] for part in parser]


def read_mail(text, boundary):
    """The same by the parser of mails, which takes any end of line."""
    head = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode()
    message = email.message_from_bytes(head + text)
    parts = message.get_payload() if message.is_multipart() else []
    return [part.get_param("name", header="content-disposition") for part in parts]


def check(case):
    raw, written = (bytes.fromhex(case[key]) for key in ("raw", "written"))
    if case["kind"] == "json":
        assert read_json(raw) == read_json(written), "another value"
    elif case["kind"] == "form":
        for text in (raw, written):
            assert read_form(text) == case["pairs"], f"other pairs: {read_form(text)}"
    else:
        ours = [[name, content] for name, _, content in case["parts"]]
        for text in (raw, written):
            theirs = read_multipart(text, case["boundary"])
            assert theirs == ours, f"other parts: {theirs}"
            names = read_mail(text, case["boundary"])
            assert len(names) == len(ours), f"another number of parts: {names}"


for case in json.load(open(sys.argv[1])):
    try:
        check(case)
    except Exception as why:
        print(f"{case['kind']} {bytes.fromhex(case['raw'])!r}: {type(why).__name__} {why}")
