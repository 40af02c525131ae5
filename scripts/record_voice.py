"""Record the clauses people confirm, in both languages, with espeak-ng and opusenc (Debian packages).

    python scripts/record_voice.py           make what is missing, drop what nobody says any more
    python scripts/record_voice.py --check   exit 1 when a clause has no recording of exactly its text

A recording is named by the digest of its text, so that a changed sentence can never be read out with old words. Figures
are put together from single words in `voice/words`; names are not spoken: they are on the screen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from scf.web import spoken
from scf.web.voice import FOLDER, MANIFEST, spoken_texts, text_digest

VOICES = {"zh-CN": ("cmn", "155"), "en": ("en-gb", "150")}
"""espeak-ng's voice and words a minute by language."""
MOST_BYTES = 25_000
MOST_BYTES_TOGETHER = 560_000


def record(text: str, language: str, target: Path) -> None:
    """Speak a text into an Ogg Opus file of under one kilobyte a second. Raises CalledProcessError."""
    voice, pace = VOICES[language]
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "clip.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", pace, "-w", str(wave), text], check=True)
        command = ["opusenc", "--quiet", "--speech", "--downmix-mono", "--bitrate", "7", "--framesize", "60"]
        subprocess.run([*command, "--padding", "0", "--discard-comments", str(wave), str(target)], check=True)


def main() -> int:
    """Bring folder and manifest in step with the texts; 1 when they are not and only a check was asked for."""
    wanted = {(language, text_digest(text)): text for language, text in spoken_texts()}
    names = {f"{language}-{digest[:16]}.ogg" for language, digest in wanted}
    present = {path.name for path in FOLDER.glob("*.ogg")} if FOLDER.is_dir() else set()
    words = {spoken.clip_name(text, language): (language, text) for language, text in spoken.vocabulary()}
    there = {path.name for path in spoken.FOLDER.glob("*.ogg")} if spoken.FOLDER.is_dir() else set()
    if "--check" in sys.argv:
        names, present = names | words.keys(), present | there
        for name in sorted(names ^ present):
            print("missing" if name in names else "not said any more", name)
        return int(names != present)
    spoken.FOLDER.mkdir(parents=True, exist_ok=True)
    for name in there - words.keys():
        (spoken.FOLDER / name).unlink()
    for name in words.keys() - there:
        language, text = words[name]
        record(text, language, spoken.FOLDER / name)
    for name in present - names:
        (FOLDER / name).unlink()
    clips = []
    for (language, digest), text in sorted(wanted.items()):
        path = FOLDER / f"{language}-{digest[:16]}.ogg"
        if not path.exists():
            record(text, language, path)
        size = path.stat().st_size
        if size > MOST_BYTES:
            print(f"{path.name} has {size} bytes, more than {MOST_BYTES}: {text}")
            return 1
        clips.append({"file": path.name, "language": language, "text_sha256": digest, "bytes": size, "text": text})
    MANIFEST.write_text(json.dumps({"made_with": "espeak-ng", "clips": clips}, ensure_ascii=False, indent=1) + "\n")
    together = sum(int(clip["bytes"]) for clip in clips)
    print(f"{len(clips)} recordings, {together} bytes together")
    return int(together > MOST_BYTES_TOGETHER)


if __name__ == "__main__":
    sys.exit(main())
