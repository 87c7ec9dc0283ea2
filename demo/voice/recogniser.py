"""Hears English: a program of its own, for the Python of the environment .speech.

    python recogniser.py <port>

Who connects to the port of 127.0.0.1 sends samples (16 000 a second, 16 bits, one channel), closes its
side, and gets the words back. One at a time; others wait.
"""

import socketserver
import sys

from pocketsphinx import Decoder


class _Server(socketserver.TCPServer):
    """The server with the decoder, which takes a moment to load."""

    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        self.decoder = Decoder(samprate=16000, loglevel="FATAL")
        super().__init__(("127.0.0.1", port), _Request)

    def words(self, samples: bytes) -> str:
        """Return the words of an utterance."""
        if not samples:
            return ""
        self.decoder.start_utt()
        self.decoder.process_raw(samples, full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return found.hypstr if found else ""


class _Request(socketserver.StreamRequestHandler):
    """One utterance."""

    server: _Server

    def handle(self) -> None:
        """Read to the end, then answer."""
        self.wfile.write(self.server.words(self.rfile.read()).encode())


if __name__ == "__main__":
    with _Server(int(sys.argv[1])) as server:
        server.serve_forever()
