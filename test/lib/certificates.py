# SPDX-License-Identifier: BSD-2-Clause
"""Certificates for tests, made with openssl(1)."""
import os
import subprocess


def _openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=120)


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.file, self.key = os.path.join(self.folder, "ca.pem"), os.path.join(self.folder, "ca.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, "-out", self.file,
                 "-subj", "/CN=Test Authority", "-days", "30", "-addext", "basicConstraints=critical,CA:true",
                 "-addext", "keyUsage=critical,keyCertSign")

    def issue(self, certificate, key, name="dot.example", days=30, algorithm="ec", same_key=False, chain=True, addresses=()):
        """Write a certificate for name and addresses (followed by the authority's) and its key, not readable by others. Negative days: it has expired."""
        request, text = os.path.join(self.folder, "request.pem"), os.path.join(self.folder, "extensions")
        how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"] if algorithm == "ec" else ["-newkey", algorithm]
        _openssl("req", "-new", "-nodes", "-out", request, "-subj", f"/CN={name}", *(["-key", key] if same_key else [*how, "-keyout", key]))
        with open(text, "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name}{''.join(f',IP:{a}' for a in addresses)}\nbasicConstraints=CA:false\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", str(days), "-out", certificate,
                 "-extfile", text)
        os.chmod(key, 0o600)
        if chain:
            with open(certificate, "a", encoding="ascii") as out, open(self.file, encoding="ascii") as ca:
                out.write(ca.read())
