#!/usr/bin/env python3
"""Asks an installed llama.cpp server for a tool call and for an answer, streaming, and compares what it says.

    check_llama.py MODEL.gguf

Run once by llama.sh: what fails here would fail in a test later, with a message that is harder to read.
"""
import json
import os
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = {"type": "string"}
TOOLS = [{"type": "function", "function": {"name": "write_file", "description": "Writes a file.", "parameters": {
    "type": "object", "properties": {"path": TEXT, "content": TEXT}, "required": ["path", "content"]}}}]


def stream(base, messages):
    """The text and the tool calls of a streamed answer."""
    body = {"model": "scripted", "stream": True, "temperature": 0, "messages": messages, "tools": TOOLS}
    request = urllib.request.Request(base + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    text, calls = "", {}
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        for line in answer:
            if not line.startswith(b"data: ") or line.strip() == b"data: [DONE]":
                continue
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
                for part in choice["delta"].get("tool_calls") or []:
                    call = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
                    call["id"] = part.get("id") or call["id"]
                    call["name"] += part["function"].get("name") or ""
                    call["arguments"] += part["function"].get("arguments") or ""
    return text, list(calls.values())


def main():
    server = subprocess.Popen([sys.executable, os.path.join(HERE, "llama_server.py"), sys.argv[1]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base = next(line.split()[1] for line in server.stdout if line.startswith("listening "))
        prompt = {"role": "user", "content": "write the file"}
        text, calls = stream(base, [prompt])
        assert len(calls) == 1 and calls[0]["name"] == "write_file", (text, calls)
        assert set(json.loads(calls[0]["arguments"])) == {"path", "content"}, calls
        function = {"name": "write_file", "arguments": calls[0]["arguments"]}
        asked = {"role": "assistant", "content": text, "tool_calls": [{"id": calls[0]["id"], "type": "function", "function": function}]}
        text, calls = stream(base, [prompt, asked, {"role": "tool", "tool_call_id": calls[0]["id"], "content": "written"}])
        assert text and not calls, (text, calls)
        print(f"llama.cpp called write_file and answered {text!r}")
    finally:
        server.stdin.close()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(20)


if __name__ == "__main__":
    main()
