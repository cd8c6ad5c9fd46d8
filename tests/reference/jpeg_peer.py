"""Decodes JPEG streams with libjpeg-turbo for a test that compares another decoder with it.

Usage: python jpeg_peer.py   (needs Pillow; a test talks to it through stdin and stdout)

The library is the one that comes inside Pillow's wheel, called directly, since Pillow hides the library's warnings;
where Pillow brings none, the system's libjpeg is taken. It must be libjpeg-turbo with the interface of libjpeg 6.2.

A request is a byte of options (1: decode with Pillow too, 2: smooth the blocks of an unfinished progressive picture,
4: give the pixels of the library's transform in floating point too), the length of the stream in four bytes, and the
stream. An answer is, with numbers of four bytes, low byte first:
  status            0 refused, 1 decoded, 2 passed over because it has more than MOST_PIXELS pixels
  warnings          how often the library warned; an error behind the last row of pixels counts as one
  width, height     in pixels
  components        of a pixel as the library gives it: 1 grey, 3 RGB, 4 CMYK; 2 is refused, for Pillow refuses it
  pillow            0 not asked, 1 it gives the same pixels, 2 it refuses, 3 it gives other pixels
  length and text   the error or the first warning, in UTF-8
  length and pixels RGB, row by row. CMYK is turned into RGB as Pillow does, its levels inverted as Adobe writes them.
  length and pixels the same of the transform in floating point. Where a damaged stream leads to levels far from those
                    of pixels, the library's two transforms overflow in different ways, so that no pixel is right.

The library leaves through exit() when it refuses a stream, so a child process decodes, and a new one takes over after
each refusal. Requests are read without a buffer: the next child continues where the last one stopped.
"""
import ctypes, ctypes.util, gc, io, os, pathlib, signal, struct, sys

import PIL
from PIL import Image, ImageFile

MOST_PIXELS = 1 << 22
WITH_PILLOW, SMOOTH, BOTH_TRANSFORMS = 1, 2, 4
REFUSED, DECODED, PASSED_OVER = 0, 1, 2
NOT_ASKED, SAME, PILLOW_REFUSES, OTHER = 0, 1, 2, 3
MODES = {1: ("L", "L"), 3: ("RGB", "RGB"), 4: ("CMYK", "CMYK;I")}

# jpeglib.h of the interface 6.2.
VERSION, SIZE, MESSAGE_LENGTH = 62, 632, 200
INTEGERS, FLOATS = 0, 2
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
EMIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)
FORMAT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class ErrorManager(ctypes.Structure):
    """struct jpeg_error_mgr as far as it is used."""
    _fields_ = [("error_exit", HANDLER), ("emit_message", EMIT), ("output_message", HANDLER),
                ("format_message", FORMAT), ("rest", ctypes.c_byte * 256)]


class Decompress(ctypes.Structure):
    """struct jpeg_decompress_struct as far as it is used."""
    _fields_ = [("err", ctypes.POINTER(ErrorManager)), ("pointers", ctypes.c_void_p * 3), ("states", ctypes.c_int * 2),
                ("src", ctypes.c_void_p), ("width", ctypes.c_uint), ("height", ctypes.c_uint),
                ("components", ctypes.c_int), ("colours", ctypes.c_int * 2), ("scale", ctypes.c_uint * 2),
                ("gamma", ctypes.c_double), ("buffered", ctypes.c_int), ("raw", ctypes.c_int), ("method", ctypes.c_int),
                ("fancy_upsampling", ctypes.c_int), ("block_smoothing", ctypes.c_int), ("quantise", ctypes.c_int * 3),
                ("wanted_colours", ctypes.c_int), ("passes", ctypes.c_int * 3), ("output_width", ctypes.c_uint),
                ("output_height", ctypes.c_uint), ("out_colour_components", ctypes.c_int),
                ("output_components", ctypes.c_int), ("rest", ctypes.c_byte * (SIZE - 136))]


def library():
    beside = pathlib.Path(PIL.__file__).parent.parent / "pillow.libs"
    found = sorted(str(path) for path in beside.glob("libjpeg*"))
    name = found[0] if found else ctypes.util.find_library("jpeg")
    if not name:
        sys.exit("error: no libjpeg was found: install Pillow from its wheel, or libjpeg-turbo")
    return ctypes.CDLL(name)


class Decoder:
    """One stream after another, until the library refuses one."""

    def __init__(self, lib):
        self.lib = lib
        self.lib.jpeg_std_error.restype = ctypes.POINTER(ErrorManager)
        self.errors = ErrorManager()
        self.lib.jpeg_std_error(ctypes.byref(self.errors))
        self.errors.error_exit = self.on_error = HANDLER(self.refuse)
        self.errors.emit_message = self.on_message = EMIT(self.warn)
        self.warnings, self.text, self.state = 0, b"", None
        self.stream, self.options, self.floats, self.pixels = b"", 0, None, None

    def message(self, state):
        buffer = ctypes.create_string_buffer(MESSAGE_LENGTH)
        self.errors.format_message(state, buffer)
        return buffer.value

    def warn(self, state, level):
        if level < 0:
            self.warnings += 1
            self.text = self.text or self.message(state)

    def refuse(self, state):
        text = self.message(state)
        if self.pixels is not None:
            self.warnings += 1
            self.text = self.text or text
            self.answer(DECODED)
        else:
            self.text = text
            self.answer(REFUSED)
        os._exit(0)

    def answer(self, status):
        state = self.state
        image, rgb, floats, pillow = None, b"", b"", NOT_ASKED
        if status == DECODED:
            image = self.image(self.pixels)
            rgb = image.convert("RGB").tobytes()
            if self.floats is not None:
                floats = self.image(self.floats).convert("RGB").tobytes()
        if self.options & WITH_PILLOW:
            pillow = self.beside_pillow(image)
        numbers = (status, self.warnings, state.width, state.height, max(state.output_components, 0), pillow)
        text = self.text.decode(errors="replace").encode()
        parts = [part for data in (text, rgb, floats) for part in (struct.pack("<I", len(data)), data)]
        write(struct.pack("<6I", *numbers) + b"".join(parts))

    def image(self, pixels):
        mode, raw = MODES[self.state.output_components]
        return Image.frombytes(mode, (self.state.output_width, self.state.output_height), pixels.raw, "raw", raw)

    def beside_pillow(self, image):
        try:
            found = Image.open(io.BytesIO(self.stream))
            found.load()
        except Exception:
            return PILLOW_REFUSES
        same = image is not None and (found.mode, found.size) == (image.mode, image.size)
        return SAME if same and found.tobytes() == image.tobytes() else OTHER

    def decode(self, options, stream):
        self.stream, self.options, self.floats, self.pixels = stream, options, None, None
        if options & BOTH_TRANSFORMS:
            self.floats = self.decode_with(FLOATS)
        self.pixels = self.decode_with(INTEGERS)
        here = ctypes.byref(self.state)
        if self.pixels is not None:
            self.lib.jpeg_finish_decompress(here)
            self.answer(DECODED)
        self.lib.jpeg_destroy_decompress(here)

    def decode_with(self, method):
        """Starts to decode, and reads all pixels; without a result, the answer is written."""
        self.warnings, self.text = 0, b""
        lib, stream = self.lib, self.stream
        if self.state is not None:
            lib.jpeg_destroy_decompress(ctypes.byref(self.state))
        self.state = state = Decompress()
        state.err = ctypes.pointer(self.errors)
        here = ctypes.byref(state)
        lib.jpeg_CreateDecompress(here, VERSION, ctypes.c_size_t(SIZE))
        lib.jpeg_mem_src(here, stream, ctypes.c_ulong(len(stream)))
        lib.jpeg_read_header(here, 1)
        if state.width * state.height > MOST_PIXELS or state.components == 2:
            if method == INTEGERS:
                self.text = b"two components" if state.components == 2 else b""
                self.answer(REFUSED if state.components == 2 else PASSED_OVER)
            return None
        state.method = method
        state.block_smoothing = int(bool(self.options & SMOOTH))
        lib.jpeg_start_decompress(here)
        row = state.output_width * state.output_components
        pixels = ctypes.create_string_buffer(row * state.output_height)
        start, done = ctypes.addressof(pixels), 0
        while done < state.output_height:
            rows = (ctypes.c_void_p * 1)(start + done * row)
            done += lib.jpeg_read_scanlines(here, rows, 1)
        return pixels


def write(data):
    while data:
        data = data[os.write(1, data):]


def read(length):
    """Exactly this many bytes, or None at the end of the input."""
    parts = bytearray()
    while len(parts) < length:
        part = os.read(0, length - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def serve(decoder):
    while (head := read(5)) is not None:
        stream = read(int.from_bytes(head[1:], "little"))
        decoder.decode(head[0], stream)
    # The parent starts no other child.
    os._exit(3)


def main():
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Made before the children are, which then copy little memory.
    decoder = Decoder(library())
    gc.collect()
    gc.freeze()
    while True:
        child = os.fork()
        if child == 0:
            try:
                serve(decoder)
            except BaseException as error:
                print(f"error: {error!r}", file=sys.stderr, flush=True)
                os._exit(4)
        _, status = os.waitpid(child, 0)
        if status != 0:
            ended = os.waitstatus_to_exitcode(status) == 3
            sys.exit(0 if ended else f"error: the decoder ended with {os.waitstatus_to_exitcode(status)}")


main()
