"""Helpers to read a page without a browser: its data, and its values as the page's script decodes them."""

import base64
import json
import re
import zlib

import numpy as np


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.html, re.DOTALL)
    return json.loads(text)


def elements_of(page):
    """For each box its elements, one row for each moment; an empty array if they are not known."""
    data = data_of(page)
    (text,) = re.findall(r'<script type="text/plain" id="values">(.*?)</script>', page.html, re.DOTALL)
    octets = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    planes = octets[: 3 * data["numbers"]].reshape(3, -1).astype(np.uint32)
    bits, at, found = planes[0] << 24 | planes[1] << 16 | planes[2] << 8, 0, []
    for (rows, columns, row_step, column_step), moments in zip(
        data["samples"], data["moments"]["elements"], strict=True
    ):
        size = -(-rows // row_step) * -(-columns // column_step) * moments
        part = np.bitwise_xor.accumulate(bits[at : at + size].reshape(moments, -1) if moments else bits[:0], axis=0)
        found.append(part.view(np.float32))
        at += size
    return found
