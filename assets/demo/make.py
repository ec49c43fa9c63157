#!/usr/bin/env python3
"""Makes the demo corpus of mcsan: clips/*.flac and manifest.csv, beside this file.

    python3 make.py                 remake everything (half a minute)
    python3 make.py --out FOLDER    the same somewhere else, to compare

Needs only the Python standard library and three programs: espeak-ng (the files here: 1.51), sox
(14.4.2) and flac (1.4.2). Nothing in it is random between runs: one seed, and the same versions of
the three programs give the same samples.

Design. The seven classes are the cells of a table of what is said (tone) and how (style):

                 calm          lively         intense
    bad news     sadness       frustration    anger
    plain        neutral                      surprise
    good news                  happiness      excitement

Every sentence is said in all the styles of its tone by one and the same speaker, so the words leave
the style open, and every style serves two or three tones, so the voice leaves the tone open. Who knows
only one of the two, but that perfectly, is right in 3 of 7 cases on balanced classes (42.9 %); with
both the class is all but certain. All but: each clip draws its own pitch, range, rate, loudness
and brightness around its style, the speakers differ too, and neighbouring styles touch.

Splits share neither a speaker nor a sentence, but every word of a validation or test sentence occurs
in training sentences (`check` below sees to that), because the demo learns its word vectors from
these few sentences alone. Nouns, persons and places occur in all three tones; what carries the tone
is eight to ten words a tone, each in about five training sentences.
"""

import argparse
import array
import csv
import io
import math
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import wave

SEED = 2021
RATE = 16000

# class = CLASSES[tone][style]
CLASSES = {
    "bad": {"calm": "sadness", "lively": "frustration", "intense": "anger"},
    "plain": {"calm": "neutral", "intense": "surprise"},
    "good": {"lively": "happiness", "intense": "excitement"},
}

# What a style does to a voice, relative to the speaker: the factor on the speaking rate, the offset of
# espeak-ng's pitch (0..99), the pitch range (SSML, 50 is normal), the level of the speech in dB below
# full scale, the brightness (dB of a shelf above 1.5 kHz: effort tilts the spectrum up), and the mark
# that shapes the melody of the sentence. The mark is for the synthesiser only: transcripts end alike.
STYLES = {
    "calm": dict(rate=0.88, pitch=-16, range=15, level=-32.0, bright=-6.0, mark="."),
    "lively": dict(rate=1.00, pitch=4, range=55, level=-25.5, bright=0.0, mark="."),
    "intense": dict(rate=1.12, pitch=28, range=95, level=-19.0, bright=6.0, mark="!"),
}

# Standard deviation of each clip around its style (cut at two deviations).
JITTER = dict(rate=0.04, pitch=4.0, range=8.0, level=1.3, bright=1.0)

# name: (split, espeak-ng voice, pitch, words a minute, dB louder, dB brighter). British English is "en"
# here: espeak-ng drops, without a word, the variant that follows "en-gb".
SPEAKERS = {
    "ann": ("train", "en+f1", 44, 212, 0.0, -0.5),
    "bea": ("train", "en-us+f4", 46, 215, 1.0, 0.5),
    "cat": ("train", "en-gb-scotland+f5", 38, 208, -1.0, 0.5),
    "dot": ("train", "en-gb-x-rp+linda", 34, 216, 0.5, -1.0),
    "eve": ("train", "en-us+steph2", 40, 222, -0.5, 1.0),
    "fay": ("train", "en-gb-x-gbclan+anika", 30, 212, -1.5, 0.0),
    "gwen": ("train", "en-us-nyc+Annie", 40, 212, 1.5, -0.5),
    "hope": ("train", "en+Andrea", 30, 218, 0.0, 1.0),
    "ian": ("train", "en-us+m1", 46, 214, 0.5, 0.5),
    "jack": ("train", "en+m3", 50, 218, -1.0, 0.0),
    "karl": ("train", "en-029+m4", 46, 205, 0.0, -0.5),
    "leo": ("train", "en-gb-x-rp+m7", 42, 214, 1.0, -1.0),
    "max": ("train", "en-us-nyc+m5", 44, 210, -0.5, 1.0),
    "ned": ("train", "en-gb-scotland+Michael", 48, 216, -1.5, 0.5),
    "otto": ("train", "en-us+paul", 52, 220, 1.5, 0.0),
    "pete": ("train", "en-gb-x-gbcwmd+Diogo", 45, 212, 0.0, -0.5),
    "rose": ("validation", "en+belinda", 34, 214, 0.5, 0.5),
    "sue": ("validation", "en-us+f2", 42, 212, -1.0, 0.0),
    "tom": ("validation", "en-gb-scotland+m2", 44, 214, -0.5, -1.5),
    "ulf": ("validation", "en-us+robert", 50, 213, -0.5, 0.5),
    "vera": ("test", "en+f3", 41, 215, -0.5, -0.5),
    "wendy": ("test", "en-us+steph", 42, 210, 1.0, 0.5),
    "yan": ("test", "en-gb-x-rp+m6", 46, 213, -1.0, 0.0),
    "zack": ("test", "en-us+quincy", 50, 218, 0.5, -0.5),
}

# Sentences by tone and split. Each speaker of a split takes an equal share of each tone.
SENTENCES = {
    "bad": {
        "train": """
            My sister lost her job.
            Our team lost the game.
            I lost my keys in town.
            He lost the letter and the money.
            My new phone is broken.
            The kitchen window is broken.
            They sent me a broken bike.
            The car is broken and I am sick.
            My brother failed the test.
            She was sick and failed the test.
            Her plan failed and she lost the house.
            They cancelled our flight home.
            My boss cancelled the trip.
            The train to town is cancelled.
            They cancelled the birthday dinner.
            The bus failed and ruined our trip.
            You ruined my birthday.
            The dog ruined her garden.
            My brother ruined the cake.
            A man stole my bag.
            They stole the car from our street.
            Somebody stole her phone.
            They stole my ticket and I missed the game.
            I missed the last train home.
            My father is sick and missed his flight.
            We missed the bus to school.
            My teacher was sick and missed the party.
            He failed and the plan is ruined.
            The birthday gift is broken.
            The doctor is sick and cancelled.
            My mother is sick at home.
            Somebody stole the dog from the house.
        """,
        "validation": """
            My father lost his keys.
            The train window is broken.
            Her sister failed the test.
            They cancelled the birthday party.
            The dog ruined our dinner.
            Somebody stole my bike.
            We missed the game.
            The teacher is sick at home.
        """,
        "test": """
            I lost the ticket to the game.
            The car window is broken.
            He failed and his team lost.
            My boss cancelled the dinner.
            They ruined the garden party.
            A man stole our car.
            My sister missed the bus.
            Her mother is sick and missed dinner.
        """,
    },
    "plain": {
        "train": """
            The school opens at noon.
            The garden opens on Monday.
            The window opens near the corner.
            The bank usually opens on Monday.
            The kitchen usually opens at noon.
            My flight is on Monday at noon.
            They usually have dinner at noon.
            The doctor comes at noon.
            The test is on Monday.
            My boss comes on Monday.
            Her birthday is on Monday.
            The trip home was at noon.
            Our team has a blue bus.
            My sister has a blue phone.
            His new car is big and blue.
            The letter is in a blue bag.
            The house stands on the corner.
            The bike stands near the house.
            A man stands near the window.
            The teacher stands in the corner.
            The car stands in our street.
            The cake was on the shelf.
            The keys and the letter are on the shelf.
            She keeps the money on a shelf.
            My mother keeps a blue ticket.
            My father keeps his bike at home.
            He keeps the letter in the corner.
            The dog is usually near her.
            My brother usually takes the train to town.
            Somebody keeps his phone near me.
            The game is near our street.
            The plan was on the kitchen shelf.
        """,
        "validation": """
            My father keeps the keys on a shelf.
            The train window is blue.
            Her test is on Monday.
            The birthday party is at noon.
            The dog stands in our garden.
            My sister usually comes at noon.
            The bike is in the corner.
            The house is near the school.
        """,
        "test": """
            The ticket is on the shelf.
            My phone is blue.
            His team usually comes on Monday.
            The bus stands near the school.
            The letter is in the corner.
            My boss keeps a blue car.
            The school garden opens at noon.
            Her mother is near the window.
        """,
    },
    "good": {
        "train": """
            My sister won the game.
            Our team won the best prize.
            I won a free ticket.
            He won the money for the trip.
            I found my keys in town.
            They found the dog safe at home.
            A man found the perfect job.
            I found a perfect gift for her.
            My brother passed the test.
            I passed and my father loved it.
            We passed the test at school.
            She passed with the best answer.
            The train to town is free.
            My boss fixed the plan.
            The cake at the party is free.
            He fixed the bike for free.
            My father fixed his car.
            They fixed the kitchen window.
            Somebody fixed her phone for free.
            My new phone is the best.
            It was the best birthday party.
            You passed and you are the best.
            We loved our new house.
            They loved the garden in our street.
            The teacher loved the letter.
            The plan is perfect and we won.
            The dinner was perfect.
            The bag is perfect and it was free.
            My mother is safe at the house.
            The bus home was safe.
            The doctor is safe at home.
            The trip was safe and we loved it.
        """,
        "validation": """
            My father found his keys.
            They fixed the train window.
            Her sister passed the test.
            The birthday party was perfect.
            We loved our dinner.
            Somebody won a free bike.
            The trip home is safe.
            She found the best house.
        """,
        "test": """
            I won a ticket to the game.
            My father fixed the phone.
            He passed and his team won.
            My boss loved the dinner.
            Her birthday gift was perfect.
            A man found our car.
            The bus to town is free.
            Her mother is safe at school.
        """,
    },
}


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


def words(sentence):
    return re.findall(r"[A-Za-z]+", sentence.lower())


def check():
    """The promises that the docstring makes about the sentences."""
    seen = set()
    known = {}
    for tone, splits in SENTENCES.items():
        for split, text in splits.items():
            speakers = sum(1 for s in SPEAKERS.values() if s[0] == split)
            assert len(lines(text)) % speakers == 0, f"{tone}/{split}: an unequal share for a speaker"
            for sentence in lines(text):
                assert sentence not in seen, f"twice: {sentence}"
                seen.add(sentence)
                assert sentence.endswith(".") and 4 <= len(words(sentence)) <= 9, sentence
                if split == "train":
                    for word in set(words(sentence)):
                        count = known.setdefault(word, dict.fromkeys(SENTENCES, 0))
                        count[tone] += 1
    for tone, splits in SENTENCES.items():
        for split in ("validation", "test"):
            for sentence in lines(splits[split]):
                for word in words(sentence):
                    total = sum(known.get(word, {}).values())
                    assert total >= 2, f"in {total} training sentence(s): {word!r} of {sentence!r}"
                tells = [w for w in words(sentence) if known[w][tone] == sum(known[w].values()) >= 4]
                assert tells, f"no word tells the tone of {sentence!r}"


def plan(rng):
    """One row a clip, in the order of the manifest."""
    rows = []
    for name, (split, voice, pitch, rate, louder, brighter) in SPEAKERS.items():
        group = [n for n, s in SPEAKERS.items() if s[0] == split]
        for tone, splits in SENTENCES.items():
            # Speaker k of a split takes sentences k, k + n, k + 2n, …: related ones go to different voices.
            share = list(enumerate(lines(splits[split])))[group.index(name) :: len(group)]
            for index, sentence in share:
                for style, label in CLASSES[tone].items():
                    aim = STYLES[style]
                    draw = {k: max(-2.0, min(2.0, rng.gauss(0.0, 1.0))) * d for k, d in JITTER.items()}
                    ident = f"{name}_{tone}{index + 1:02d}_{style}"
                    rows.append(
                        dict(
                            audio=f"clips/{ident}.flac",
                            text=sentence,
                            label=label,
                            id=ident,
                            split=split,
                            speaker=name,
                            voice=voice,
                            mark=aim["mark"],
                            pitch=max(0, min(99, round(pitch + aim["pitch"] + draw["pitch"]))),
                            rate=round(rate * (aim["rate"] + draw["rate"])),
                            range=max(0, min(99, round(aim["range"] + draw["range"]))),
                            level=aim["level"] + louder + draw["level"],
                            bright=aim["bright"] + brighter + draw["bright"],
                        )
                    )
    return rows


def speak(row, folder):
    """The clip as a list of floats at 16 kHz, brightness set, not yet levelled."""
    raw, shaped = folder / "raw.wav", folder / "shaped.wav"
    text = row["text"][:-1] + row["mark"]
    ssml = f'<prosody range="{row["range"]}">{text}</prosody>'
    voice = ["-v", row["voice"], "-s", str(row["rate"]), "-p", str(row["pitch"])]
    subprocess.run(["espeak-ng", "-m", "-z", *voice, "-w", str(raw), ssml], check=True)
    shelf = ["treble", f"{row['bright']:.2f}", "1500"]
    subprocess.run(["sox", "-D", str(raw), "-b", "16", str(shaped), "gain", "-12", *shelf, "rate", "-h", str(RATE)], check=True)
    with wave.open(str(shaped), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, RATE, 2)
        samples = array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return [float(s) for s in samples]


def finish(samples, level):
    """Trims the silence, sets the level and rounds to few bits: what FLAC then packs small."""
    block = RATE // 100
    loud = [math.sqrt(sum(s * s for s in samples[i : i + block]) / block) for i in range(0, len(samples) - block + 1, block)]
    floor = max(loud) * 0.01
    voiced = [i for i, value in enumerate(loud) if value > floor]
    start, end = max(0, voiced[0] - 2) * block, min(len(loud), voiced[-1] + 4) * block
    power = [loud[i] ** 2 for i in voiced]
    gain = 32768.0 * 10 ** (level / 20) / math.sqrt(sum(power) / len(power))
    gain = min(gain, 32000.0 / max(abs(s) for s in samples))
    # A step about 38 dB below the speech and a power of two: FLAC drops the empty low bits.
    step = 2 ** round(math.log2(32768.0 * 10 ** (level / 20) / 80))
    return array.array("h", [max(-32768, min(32767, step * round(s * gain / step))) for s in samples[start:end]])


def write(path, samples):
    if sys.byteorder == "big":
        samples = array.array("h", samples)
        samples.byteswap()
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    command = ["flac", "-8", "-e", "-p", "--silent", "--force", "--no-padding", "--no-seektable", "-o", str(path), "-"]
    subprocess.run(command, input=buffer.getvalue(), check=True)


def main():
    parser = argparse.ArgumentParser(description="Makes the demo corpus of mcsan.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    out = parser.parse_args().out
    for program in ("espeak-ng", "sox", "flac"):
        if shutil.which(program) is None:
            sys.exit(f"make.py: {program} is not installed")
    check()
    rows = plan(random.Random(SEED))
    clips = out / "clips"
    if clips.exists():
        shutil.rmtree(clips)
    clips.mkdir(parents=True)
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            samples = finish(speak(row, pathlib.Path(folder)), row["level"])
            write(out / row["audio"], samples)
            seconds += len(samples) / RATE
    with open(out / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["audio", "text", "label", "id", "split", "speaker"], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    size = sum(p.stat().st_size for p in clips.iterdir())
    print(f"{len(rows)} clips, {seconds / len(rows):.2f} s on average, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
