"""operations: what an operator does meanwhile: parks, wakes, deletes and deploys again, looks around."""
import asyncio
import json
import random
import shutil
import tempfile
from pathlib import Path

from serving import PROGRAMS

PROGRAM = "recording_app.py"
# One accelerator less than all replicas together want, so that places are contended for.
SLOTS = 4
SCALES = {"steady": {"min": 1, "max": 1, "concurrency": 48}, "parky": {"min": 0, "max": 2, "concurrency": 6, "urgency": 0},
          "tight": {"min": 0, "max": 1, "concurrency": 2}, "chilly": {"min": 0, "max": 1, "concurrency": 8, "urgency": 0}}
KEYS = {"tight": {"queue": {"max": 12, "wait": "20s"}}}
DELETE_EVERY_S = 25
# Replies that an operator may get while things move; anything else is a violation.
CODES_EXPECTED = (0,)


class Operator:
    def __init__(self, serve, account, records, seed):
        self.serve, self.account, self.records = serve, account, str(records)
        self.chance = random.Random(f"{seed}/operator")
        self.done = {"park": 0, "wake": 0, "deploy": 0, "look": 0, "refused": 0}

    def deploy_all(self):
        for name in SCALES:
            self.deploy_sync(name)

    def app_file(self, name):
        env = {"RECORDS": self.records, "APP": name, **({"START_S": "0.7"} if name == "chilly" else {})}
        return {"name": name, "command": ["python3", PROGRAM], "env": env, "scale": SCALES[name],
                "queue": {"max": 200, "wait": "100s"}, **KEYS.get(name, {})}

    def deploy_sync(self, name):
        keys = self.app_file(name)
        self.serve.deploy(keys.pop("name"), keys.pop("command"), [PROGRAM], wait=name == "steady", **keys)

    async def cli(self, *arguments):
        run = await asyncio.create_subprocess_exec(
            str(self.serve.binary), *map(str, arguments), env=self.serve.environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        out, err = await run.communicate()
        return run.returncode, (out + err).decode(errors="replace")

    async def must(self, *arguments):
        code, text = await self.cli(*arguments)
        if code not in CODES_EXPECTED:
            self.account.violate(f"kelvin {' '.join(map(str, arguments))}: exit {code}: {text[-300:]}")

    async def move(self, verb):
        """Park and wake may be refused, for instance while requests run: that is an answer."""
        code, text = await self.cli(verb, self.chance.choice(["parky", "parky", "chilly", "tight"]))
        if code not in (0, 1, 3):
            self.account.violate(f"kelvin {verb}: exit {code}: {text[-300:]}")
        self.done[verb if code == 0 else "refused"] += 1

    async def deploy_again(self):
        await self.must("delete", "chilly", "--yes")
        await asyncio.sleep(self.chance.random())
        with tempfile.TemporaryDirectory(prefix="kelvin-soak-app-") as folder:
            shutil.copy(PROGRAMS / PROGRAM, folder)
            file = Path(folder) / "kelvin.yaml"
            file.write_text(json.dumps(self.app_file("chilly")), encoding="utf-8")
            await self.must("deploy", file)
        self.done["deploy"] += 1

    async def run(self, until):
        clock = asyncio.get_running_loop().time
        delete_at = clock() + DELETE_EVERY_S / 4
        while not until.is_set():
            if clock() > delete_at:
                await self.deploy_again()
                delete_at = clock() + DELETE_EVERY_S
            elif self.chance.random() < 0.2:
                await self.must(*self.chance.choice([("ps",), ("usage",), ("explain", "parky"), ("apps",), ("bill",)]))
                self.done["look"] += 1
            else:
                await self.move(self.chance.choice(["park", "park", "wake"]))
            await asyncio.sleep(self.chance.random() * 1.5)
