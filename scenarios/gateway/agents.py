"""Claude Code and Codex as they come from npm, unmodified: a turn, a tool that runs here, and a turn with what it gave."""

import os
import pathlib
import subprocess
import tempfile
import time

from scripted import Upstream, apply

ROOT = os.environ["MAINSPRING_URL"]
INSTALLED = pathlib.Path(os.environ["MAINSPRING_AGENTS"], "node_modules")
CLAUDE = INSTALLED / "@anthropic-ai/claude-code/cli-wrapper.cjs"
CODEX = INSTALLED / "@openai/codex/bin/codex.js"
# Says in capitals what nobody else says.
COMMAND, SAID = "echo tool-ran-here | tr a-z A-Z", "TOOL-RAN-HERE"
AGENTS = {"claude": ("Bash", "command"), "codex": ("exec_command", "cmd")}
# Codex speaks to Azure in its own dialect, and Claude Code to Anthropic.
KINDS = {"claude": ["anthropic", "openai", "gemini", "bedrock"], "codex": ["azure", "openai", "anthropic", "bedrock"]}
passed = 0


def route(agent, kind):
    """The first turn calls a tool of the agent, the next one is answered in words."""
    tool, field = AGENTS[agent]
    target = {"provider": f"a-{kind}", "model": f"do:tool={tool}:{field}:{COMMAND},text=for {agent} at {kind},times=1"}
    return "route", f"{agent}-{kind}", {"targets": [target], "retry": {"attempts": 0}}


def run(home, arguments, environment):
    work = pathlib.Path(home, "work")
    work.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": home} | environment
    return subprocess.run(
        ["node", *map(str, arguments)], cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )


def claude(home, model):
    environment = {"ANTHROPIC_BASE_URL": ROOT, "ANTHROPIC_AUTH_TOKEN": "unused", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    return run(home, [CLAUDE, "--model", model, "--allowedTools", "Bash", "-p", "Use a tool."], environment)


EXEC = [CODEX, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]


def codex(home, model):
    """By a provider in its settings, as the guide has it."""
    settings = pathlib.Path(home, ".codex")
    settings.mkdir(exist_ok=True)
    (settings / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "mainspring"\nweb_search = "disabled"\n\n'
        f'[model_providers.mainspring]\nname = "Mainspring"\n'
        f'base_url = "{ROOT}/v1"\nenv_key = "MAINSPRING_KEY"\nwire_api = "responses"\n'
    )
    return run(home, [*EXEC, "Use a tool."], {"CODEX_HOME": str(settings), "MAINSPRING_KEY": "unused"})


def codex_itself(home, model):
    """By its own provider, which tries a web socket first."""
    settings = pathlib.Path(home, ".codex-itself")
    settings.mkdir(exist_ok=True)
    address = ["-c", f'openai_base_url="{ROOT}/v1"']
    return run(home, [*EXEC, "-m", model, *address, "Say something."], {"CODEX_HOME": str(settings), "CODEX_API_KEY": "unused"})


def scenario(name, test):
    global passed
    began = time.monotonic()
    test()
    passed += 1
    print(f"  ok {name} ({time.monotonic() - began:.1f} s)")


with Upstream() as upstream, tempfile.TemporaryDirectory() as home:
    kinds = sorted({kind for kinds in KINDS.values() for kind in kinds})
    apply([upstream.provider(kind) for kind in kinds] + [route(agent, kind) for agent in AGENTS for kind in KINDS[agent]])

    def works(agent, ask, kind):
        before = len(upstream.seen())
        done = ask(home, f"{agent}-{kind}")
        told = (agent, kind, done.stdout[-2000:], done.stderr[-2000:])
        assert done.returncode == 0 and "word0" in done.stdout, told
        first, *others = upstream.seen()[before:]
        assert len(others) == 1, (len(others), *told)
        assert SAID not in first and SAID in others[0], told

    for kind in KINDS["claude"]:
        scenario(f"Claude Code calls its tools, answered by {kind}", lambda: works("claude", claude, kind))
    for kind in KINDS["codex"]:
        scenario(f"Codex calls its tools, answered by {kind}", lambda: works("codex", codex, kind))

    def alone():
        target = {"provider": "a-openai", "model": "do:text=over HTTP"}
        apply([("route", "codex-itself", {"targets": [target]})])
        done = codex_itself(home, "codex-itself")
        assert done.returncode == 0 and "over HTTP" in done.stdout, (done.stdout[-2000:], done.stderr[-2000:])

    scenario("Codex's own provider goes on over HTTP where its web socket is refused", alone)

print(f"{passed} passed, 0 failed")
