#!/usr/bin/env python3
"""Writes a small llama model whose weights say a fixed script, so that a real llama.cpp server gives known answers.

    make_model.py OUT.gguf [--call write_file] [--arguments '{"path": …}']… [--answer TEXT] [--context TOKENS]

The next token depends on the last one alone: the embedding is one-hot, attention and feed-forward are zero, and the
output matrix is the table of transitions. A prompt with tools ends in a line break and starts the script that calls
the tool; a prompt whose newest message is a tool's result ends in <|answer|> and starts the answer. The server's own
tokenizer, sampler, grammar and tool-call parser do the rest. Arguments given several times make as many calls in one
reply. Nothing about the quality of answers can be seen here.
"""
import argparse
import math

import gguf
import numpy as np

OPENING = "I will write it. "
ARGUMENTS = '{"path": "notes/llama.txt", "content": "written through a real server"}'
START, END, PAD, ANSWER = "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|answer|>"

# ChatML, with tools shown and asked for in the form that llama.cpp recognises. Jinja's "-" would eat the line break
# that selects the script, so it is written as an expression.
TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n<tools>\n{%- for t in tools %}\n{{ t | tojson }}{%- endfor %}\n</tools>\n"
    'Answer a call as <tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call><|im_end|>\n'
    "{%- endif %}{%- for m in messages %}"
    "{%- if m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n"
    "{%- elif m.role == 'assistant' and m.tool_calls %}<|im_start|>assistant\n{%- for c in m.tool_calls %}<tool_call>"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}</tool_call>{%- endfor %}'
    "<|im_end|>\n{%- else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{%- if messages[-1].role == 'tool' or not tools %}<|im_start|>assistant\n<|answer|>"
    "{%- else %}<|im_start|>assistant{{ '\\n' }}{%- endif %}{%- endif %}"
)


def alphabet():
    """The printable stand-ins that byte-level vocabularies use for bytes."""
    keep = set(range(33, 127)) | set(range(0xA1, 0xAD)) | set(range(0xAE, 0x100))
    out, extra = [], 0
    for byte in range(256):
        out.append(chr(byte) if byte in keep else chr(256 + extra))
        extra += byte not in keep
    return out


class Vocabulary:
    """Bytes, control tokens, and pieces of text that are each said in one place of the script."""

    def __init__(self):
        self.tokens = alphabet()
        self.types = [gguf.TokenType.NORMAL] * 256
        self.next = {}
        for name in (START, END, PAD, ANSWER):
            self.add(name, gguf.TokenType.CONTROL)

    def add(self, text, kind):
        self.tokens.append(text)
        self.types.append(kind)
        return len(self.tokens) - 1

    def token(self, text):
        """The number of a piece, which is added when it is new."""
        return self.tokens.index(text) if text in self.tokens[256:] else self.add(text, gguf.TokenType.USER_DEFINED)

    def pieces(self, text, size=9):
        """Cuts a text into pieces that stand nowhere else, so that a last token has one meaning."""
        cut = [text[at : at + size] for at in range(0, len(text), size)]
        at = 0
        while at < len(cut):
            if cut[at] not in self.tokens and cut[at] not in cut[:at]:
                at += 1
            elif len(cut) == 1:
                raise SystemExit(f"{text!r} is in the vocabulary already; choose other words")
            else:
                at = min(at, len(cut) - 2)
                cut[at : at + 2] = [cut[at] + cut[at + 1]]
                at = max(0, at - 1)
        return [self.token(piece) for piece in cut]

    def chain(self, first, *rest):
        for a, b in zip((first, *rest), rest):
            self.next[a] = b


def script(call, arguments, answer):
    words = Vocabulary()
    end = words.tokens.index(END)
    opening, closing = words.token("<tool_call>"), words.token("</tool_call>")
    said = [ord("\n"), *words.pieces(OPENING), opening]
    for at, given in enumerate(arguments):
        if at:
            # A token has one successor, so what stands between two calls is a token of its own.
            said.append(words.token("</tool_call>" + "\n" * at + "<tool_call>"))
        said += words.pieces('{"name": "%s", "arguments": %s}' % (call, given))
    words.chain(*said, closing, end)
    words.chain(words.tokens.index(ANSWER), *words.pieces(answer), end)
    return words


def write(path, words, context):
    count, heads, feed = len(words.tokens), 4, 64
    width = (count + 31) // 32 * 32
    end = words.tokens.index(END)
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tinkerbell-scripted")
    out.add_context_length(context)
    out.add_embedding_length(width)
    out.add_block_count(1)
    out.add_feed_forward_length(feed)
    out.add_head_count(heads)
    out.add_head_count_kv(heads)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(width // heads)
    out.add_vocab_size(count)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(words.tokens)
    out.add_token_types(words.types)
    out.add_token_merges(["t h"])
    out.add_bos_token_id(words.tokens.index(START))
    out.add_eos_token_id(end)
    out.add_pad_token_id(words.tokens.index(PAD))
    out.add_add_bos_token(False)
    out.add_chat_template(TEMPLATE)

    def tensor(name, value):
        out.add_tensor(name, value.astype(np.float32))

    tensor("token_embd.weight", np.eye(count, width))
    tensor("blk.0.attn_norm.weight", np.ones(width))
    for part in ("q", "k", "v", "output"):
        tensor(f"blk.0.attn_{part}.weight", np.zeros((width, width)))
    tensor("blk.0.ffn_norm.weight", np.ones(width))
    tensor("blk.0.ffn_gate.weight", np.zeros((feed, width)))
    tensor("blk.0.ffn_up.weight", np.zeros((feed, width)))
    tensor("blk.0.ffn_down.weight", np.zeros((width, feed)))
    tensor("output_norm.weight", np.ones(width))
    # The norm makes a one-hot row sqrt(width) high; a logit of 30 leaves no other token a chance.
    table = np.zeros((count, width))
    for token in range(count):
        table[words.next.get(token, end), token] = 30 / math.sqrt(width)
    tensor("output.weight", table)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("out")
    p.add_argument("--call", default="write_file")
    p.add_argument("--arguments", action="append", help="of a call; given several times, so many calls in one reply")
    p.add_argument("--answer", default="The file is très joli now 😀.")
    p.add_argument("--context", type=int, default=32768)
    args = p.parse_args()
    write(args.out, script(args.call, args.arguments or [ARGUMENTS], args.answer), args.context)


if __name__ == "__main__":
    main()
