"""Native code that reads where nothing is."""

import ctypes
import faulthandler

faulthandler.enable()
print("loading the decoder", flush=True)
ctypes.string_at(16)  # here
