import asyncio
import base64
import json

import pytest
from jsonschema import Draft202012Validator

from opcode_core import ErrorCode, OpcodeError
from opcode_http import actions

from .conftest import response


async def refused(call) -> OpcodeError:
    with pytest.raises(OpcodeError) as caught:
        await call
    return caught.value
