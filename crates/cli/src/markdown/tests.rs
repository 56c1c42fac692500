//! Texts and how they look on a terminal; and that it does not matter in which pieces a text comes.

use super::*;
use crate::plain;

/// What a text looks like, and its styles.
fn set(text: &str, width: usize, colour: bool) -> String {
    let (mut markdown, mut out) = (Markdown::new(width, colour), String::new());
    markdown.push(text, &mut out);
    markdown.finish(&mut out);
    out
}

/// Texts with what is seen of them on a terminal of forty cells with colours.
const SEEN: &[(&str, &str)] = &[
    ("", ""),
    ("Hello, world", "Hello, world\n"),
    ("one\ntwo\n\n\n\nthree\n\n", "one\ntwo\n\n\n\nthree\n"),
    ("# Title\n## Second *part*\ntext", "Title\nSecond part\ntext\n"),
    ("#include and 3.14 and -1", "#include and 3.14 and -1\n"),
    ("a **bold** and *soft* `code` word", "a bold and soft code word\n"),
    ("***both*** ~~gone~~ __strong__ _soft_", "both gone strong soft\n"),
    ("2 * 3 * 4, a_b_c, *.rs and *.toml, **kwargs", "2 * 3 * 4, a_b_c, *.rs and *.toml,\n**kwargs\n"),
    ("`not *soft* here` and ``a ` b``", "not *soft* here and a ` b\n"),
    ("open `code and **bold without end", "open `code and **bold without end\n"),
    ("**bold with `**` in it** and \\*stars\\*", "bold with ** in it and *stars*\n"),
    ("**a *b* c** _a_b_ *x*", "a b c a_b x\n"),
    ("[text](https://x.org \"title\") <https://y.org>", "text (https://x.org) https://y.org\n"),
    ("![alt](a.png) [x] [y][z] a<b>c !", "alt (a.png) [x] [y][z] a<b>c !\n"),
    ("- one\n- two\n  - three\n* four\n+ five", "• one\n• two\n  • three\n• four\n• five\n"),
    ("1. one\n2) two\n10. ten", "1. one\n2) two\n10. ten\n"),
    ("- [ ] open\n- [x] done\n- [link](u)", "☐ open\n☑ done\n• link (u)\n"),
    ("> said\n> > again\n>\nend", "│ said\n│ │ again\n│ \nend\n"),
    (
        "---\n***\n- - -",
        "────────────────────────────────────────\n────────────────────────────────────────\n────────────────────────────────────────\n",
    ),
    ("```rust\nfn main() {}\n\n```\nafter", "  fn main() {}\n\nafter\n"),
    ("~~~\n```\n~~~", "  ```\n"),
    ("```\nnever closed", "  never closed\n"),
    ("> ```\n> code\nout", "│   code\nout\n"),
    ("- a\n  ```sh\n  ls\n  ```\n- b", "• a\n  ls\n• b\n"),
    (
        "| a | long head |\n|--:|:-:|\n| 1 | `x|y` |\n| 22 | \n\nend",
        " a │ long head\n───┼──────────\n 1 │    x|y\n22 │ \n\nend\n",
    ),
    ("| no | table\nat all", "| no | table\nat all\n"),
    ("|a|b|\n|-|-|", "a │ b\n──┼──\n"),
    ("the quick brown fox jumps over the lazy dog and on", "the quick brown fox jumps over the lazy\ndog and on\n"),
    ("- the quick brown fox jumps over the lazy dog", "• the quick brown fox jumps over the\n  lazy dog\n"),
    ("> the quick brown fox jumps over the lazy dog", "│ the quick brown fox jumps over the\n│ lazy dog\n"),
    ("1234567890123456789012345678901234567890123", "1234567890123456789012345678901234567890\n123\n"),
    (
        "日本語の文章には空白がありませんから折り返しが要ります",
        "日本語の文章には空白がありませんから折り\n返しが要ります\n",
    ),
];

#[test]
fn texts_look_as_they_should() {
    for (text, seen) in SEEN {
        let lines: Vec<String> =
            plain::strip(&set(text, 40, true)).lines().map(|line| line.trim_end().to_owned()).collect();
        let expected: Vec<&str> = seen.lines().map(str::trim_end).collect();
        assert_eq!(lines, expected, "{text:?}");
    }
}

#[test]
fn it_does_not_matter_where_a_text_is_cut() {
    let (mut texts, mut cuts) = (0, 0);
    for (text, _) in SEEN {
        for (width, colour) in [(40, true), (24, true), (40, false)] {
            let whole = set(text, width, colour);
            texts += 1;
            for (cut, _) in text.char_indices() {
                let (mut markdown, mut out) = (Markdown::new(width, colour), String::new());
                markdown.push(&text[..cut], &mut out);
                markdown.push(&text[cut..], &mut out);
                markdown.finish(&mut out);
                assert_eq!(out, whole, "{text:?} cut at {cut}, width {width}");
                cuts += 1;
            }
        }
    }
    println!("{texts} settings of {} texts, {cuts} cuts, 0 failures", SEEN.len());
}

#[test]
fn nothing_that_was_written_is_taken_back() {
    let text: String = SEEN.iter().map(|(text, _)| format!("{text}\n\n")).collect();
    let (mut markdown, mut out) = (Markdown::new(40, true), String::new());
    markdown.push(&text, &mut out);
    markdown.finish(&mut out);
    // Apart from styles there are no escape sequences: the cursor only ever goes forth.
    let styles = out.match_indices('\u{1b}').all(|(at, _)| {
        let rest = &out[at + 1..];
        rest.starts_with('[')
            && rest.find(|c: char| c.is_ascii_alphabetic()).is_some_and(|end| rest[end..].starts_with('m'))
    });
    assert!(styles && !out.contains('\r'), "{out:?}");
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_word_is_lost() {
    use unicode_width::UnicodeWidthStr;
    let seed = 7_u64;
    let mut random = seed;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let parts = [
        "*",
        "**",
        "`",
        "_",
        "word ",
        "é",
        "e\u{301} ",
        "👩‍👩‍👧 ",
        "日本",
        "[",
        "](u)",
        "\n",
        "- ",
        "> ",
        "# ",
        "| ",
        "1. ",
        "long-word-that-has-no-end",
        " ",
    ];
    let trials = 2_000;
    let mut failures = 0;
    for _ in 0..trials {
        let text: String = (0..30).map(|_| parts[next(parts.len())]).collect();
        // The language of a block of code is not shown.
        let text = text.replace("```", "``");
        let width = 12 + next(30);
        let out = plain::strip(&set(&text, width, true));
        let is_table = text.lines().any(|line| line.contains('|'));
        let too_wide = out.lines().any(|line| line.width() > width) && !is_table;
        let kept = |text: &str| text.chars().filter(|c| c.is_alphabetic()).filter(|c| *c != 'u').collect::<String>();
        if too_wide || kept(&out) != kept(&text) {
            eprintln!("width {width}: {text:?}\n{out}");
            failures += 1;
        }
    }
    println!("seed {seed}, {trials} trials, {failures} failures");
    assert_eq!(failures, 0);
}

#[test]
fn styles_are_there_and_without_colours_the_marks_are() {
    let text = "# T\na **b** *i* `c` ~~s~~ [l](u)\n```rust\nlet x;\n```\n";
    let coloured = set(text, 40, true);
    for piece in [
        "\u{1b}[1m\u{1b}[36mT",
        "\u{1b}[1mb\u{1b}[0m",
        "\u{1b}[3mi",
        "\u{1b}[36mc",
        "\u{1b}[9ms",
        "\u{1b}[4ml",
        "\u{1b}[2m(u)",
        "\u{1b}[35mlet",
    ] {
        assert!(coloured.contains(piece), "{piece:?} is not in {coloured:?}");
    }
    assert_eq!(set(text, 40, false), "# T\na **b** *i* `c` ~~s~~ l (u)\n```rust\nlet x;\n```\n");
}

#[test]
fn what_is_held_back_has_a_bound() {
    for text in [
        "`".to_owned() + &"x ".repeat(5_000),
        "[".repeat(3_000),
        "*a ".repeat(2_000),
        "```\n".to_owned() + &"y".repeat(40_000),
    ] {
        let (mut markdown, mut out) = (Markdown::new(40, true), String::new());
        markdown.push(&text, &mut out);
        let held = text.len() - plain::strip(&out).chars().filter(|c| !c.is_whitespace()).count().min(text.len());
        assert!(held < text.len() / 2 + MAX_LINE_BYTES, "{held} of {} bytes are held", text.len());
        markdown.finish(&mut out);
    }
}

#[test]
fn a_text_goes_on_in_a_line_of_its_own_when_something_else_was_written() {
    let (mut markdown, mut out) = (Markdown::new(40, true), String::new());
    markdown.push("- one two", &mut out);
    assert_eq!((plain::strip(&out).as_str(), markdown.column()), ("• one", 5));
    let mut rest = String::new();
    markdown.resume();
    markdown.push(" three", &mut rest);
    markdown.finish(&mut rest);
    assert_eq!(rest, "  two three\n");
    // Nothing is left to go on with: no empty line tells of it.
    let (mut markdown, mut out, mut rest) = (Markdown::new(40, true), String::new(), String::new());
    markdown.push("- one ", &mut out);
    markdown.push("two ", &mut out);
    markdown.resume();
    markdown.push("\n- three\n", &mut rest);
    assert_eq!(plain::strip(&rest), "• three\n");
    markdown.push("four ", &mut rest);
    markdown.resume();
    rest.clear();
    markdown.finish(&mut rest);
    assert_eq!(rest, "");
}

#[test]
fn a_remark_is_broken_at_words_and_set_in_as_it_began() {
    assert_eq!(wrapped("  one two three four\nfive", 12), "  one two\n  three four\nfive");
    assert_eq!(wrapped("", 12), "");
}

#[test]
fn a_model_that_repeats_one_mark_for_ever_takes_no_time() {
    for mark in ["-", " ", "#", "`", "> ", "[", "a", "é", "日"] {
        let began = std::time::Instant::now();
        let text = mark.repeat(50_000);
        let _ = set(&text, 80, true);
        // Looking at all that came for each letter took some ten seconds.
        println!("{mark:?}: {:?}", began.elapsed());
        assert!(began.elapsed() < std::time::Duration::from_secs(4), "{mark:?}: {:?}", began.elapsed());
    }
    assert_eq!(set(&" ".repeat(3000), 80, true).trim(), "");
    assert_eq!(set(&"-".repeat(3000), 3001, true).trim(), "-".repeat(3000));
}
