//! A checker of bundles after `docs/audit.md`, which shares nothing with the daemon but SHA-256 and Ed25519.

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What was in a bundle that is sound.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) events: u64,
    pub(crate) bodies: u64,
    pub(crate) links: u64,
    pub(crate) signatures: u64,
    pub(crate) blobs: u64,
    journals: u64,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

fn text<'a>(line: &'a Value, name: &str) -> Result<&'a str, String> {
    line[name].as_str().ok_or_else(|| format!("{name} is no text"))
}

fn number(line: &Value, name: &str) -> Result<u64, String> {
    line[name].as_u64().ok_or_else(|| format!("{name} is no number"))
}

fn bytes<const N: usize>(line: &Value, name: &str) -> Result<[u8; N], String> {
    let text = text(line, name)?;
    let wrong = || format!("{name} is not {N} bytes");
    if text.len() != 2 * N || !text.is_ascii() {
        return Err(wrong());
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
    }
    if hex(&out) == text { Ok(out) } else { Err(wrong()) }
}

fn need(fine: bool, what: &str) -> Result<(), String> {
    if fine { Ok(()) } else { Err(what.to_owned()) }
}

fn signed(line: &Value, message: &str) -> Result<(), String> {
    let key = VerifyingKey::from_bytes(&bytes(line, "key")?).map_err(|_| "no key")?;
    let signature = Signature::from_bytes(&bytes(line, "signature")?);
    key.verify_strict(message.as_bytes(), &signature).map_err(|_| "a signature is wrong".to_owned())
}

/// Checks a bundle.
pub(crate) fn check(bundle: &[u8]) -> Result<Counts, String> {
    let mut lines: Vec<(&[u8], Value)> = Vec::new();
    for raw in bundle.split_inclusive(|byte| *byte == b'\n') {
        lines.push((raw, serde_json::from_slice(raw).map_err(|error| error.to_string())?));
    }
    need(lines.len() >= 2, "it is cut off")?;
    let (_, end) = lines.pop().expect("there are two");
    let (_, head) = lines[0].clone();
    need(head["type"] == "bundle" && head["format"] == 1 && end["type"] == "end", "it is cut off")?;
    let (mut total, mut counts) = (Sha256::new(), Counts::default());
    let (mut links, mut newest, mut heads) = (Vec::<String>::new(), BTreeMap::new(), BTreeMap::new());
    let (mut link, mut chain, mut at, mut upto, mut name) = ([0; 32], [0; 32], 0, 0, String::new());
    let (mut keys, mut signatures) = (BTreeSet::new(), Vec::new());
    for (number_of, (raw, line)) in lines.iter().enumerate() {
        total.update(raw);
        match text(line, "type")? {
            "bundle" => need(number_of == 0, "a second beginning")?,
            "link" => {
                counts.links += 1;
                let (journal, seq) = (text(line, "journal")?.to_owned(), number(line, "seq")?);
                link = sha(&[&link, format!("{journal} {seq}").as_bytes(), &bytes::<32>(line, "head")?]);
                need(number(line, "place")? == counts.links && text(line, "hash")? == hex(&link), "a link is wrong")?;
                links.push(hex(&link));
                heads.insert((journal.clone(), seq), text(line, "head")?.to_owned());
                newest.insert(journal, seq);
            }
            "signature" => signatures.push(line),
            "journal" => {
                need(at == upto, "a journal has no end")?;
                counts.journals += 1;
                (name, chain, at, upto) = (text(line, "name")?.to_owned(), [0; 32], 0, number(line, "events")?);
                need(newest.remove(&name) == Some(upto), "a journal is not what the chain of heads says")?;
            }
            "event" => {
                counts.events += 1;
                at += 1;
                let seal = match line.get("body") {
                    Some(_) => {
                        counts.bodies += 1;
                        sha(&[&bytes::<16>(line, "salt")?, text(line, "body")?.as_bytes()])
                    }
                    None => bytes(line, "seal")?,
                };
                let header = text(line, "header")?;
                chain = sha(&[&chain, header.as_bytes(), &seal]);
                let header: Value = serde_json::from_str(header).map_err(|error| error.to_string())?;
                let placed = number(line, "seq")? == at && header["seq"] == at && text(line, "journal")? == name;
                need(placed && text(line, "hash")? == hex(&chain), "an event is wrong")?;
                if let Some(head) = heads.remove(&(name.clone(), at)) {
                    need(head == hex(&chain), "an event is not in the chain of heads")?;
                }
                if name == "daemon" && header["kind"] == "audit.key" {
                    keys.insert(text(&header, "key")?.to_owned());
                }
            }
            "blob" => {
                counts.blobs += 1;
                let data = BASE64.decode(text(line, "data")?).map_err(|error| error.to_string())?;
                need(hex(&sha(&[&data])) == text(line, "hash")?, "a blob is wrong")?;
            }
            _ => return Err("a line of no known type".to_owned()),
        }
    }
    let total: [u8; 32] = total.finalize().into();
    need(at == upto && text(&end, "sha256")? == hex(&total), "it is cut off or changed")?;
    counts.signatures = signatures.len() as u64;
    for (name, count) in [
        ("links", counts.links),
        ("events", counts.events),
        ("journals", counts.journals),
        ("signatures", counts.signatures),
        ("blobs", counts.blobs),
    ] {
        need(number(&end["counts"], name)? == count, "lines are missing")?;
    }
    let wanted = |journal: &str| {
        head["sessions"] == "all" || head["sessions"].as_array().is_some_and(|ids| ids.iter().any(|id| id == journal))
    };
    let missing = newest.iter().any(|(journal, seq)| *seq > 0 && wanted(journal));
    need(!missing, "journals are missing")?;
    let state = links.first().ok_or("there are no links")?;
    need(text(&head, "state")? == state, "it is of another state")?;
    for line in signatures {
        let place = number(line, "place")?;
        let hash = links.get((place as usize).wrapping_sub(1)).ok_or("a signature is of a link that is not there")?;
        need(keys.contains(text(line, "key")?) && text(line, "state")? == state, "a signature is of something else")?;
        let at = line["at"].as_i64().ok_or("no time")?;
        signed(line, &format!("tinkerbell link 1\nstate {state}\nplace {place}\nhash {hash}\nat {at}\n"))?;
    }
    need(counts.signatures > 0 && keys.contains(text(&end, "key")?), "nothing vouches for it")?;
    signed(&end, &format!("tinkerbell bundle 1\nstate {state}\nsha256 {}\n", hex(&total)))?;
    Ok(counts)
}

/// Bundles in which a word was changed and everything computed anew, signed with another key or with none.
pub(crate) fn forgeries(bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Value> =
        bundle.split(|byte| *byte == b'\n').filter_map(|raw| serde_json::from_slice(raw).ok()).collect();
    let mut end = lines.pop().expect("a bundle has an end");
    let sessions = lines[0]["state"].as_str().unwrap_or_default().to_owned();
    lines[0]["version"] = "9.9.9".into();
    let raw: Vec<u8> = lines.iter().flat_map(|line| (line.to_string() + "\n").into_bytes()).collect();
    let sha256 = hex(&sha(&[&raw]));
    end["sha256"] = sha256.clone().into();
    let written = |end: &Value| [raw.clone(), (end.to_string() + "\n").into_bytes()].concat();
    let unsigned = written(&end);
    let key = SigningKey::from_bytes(&[7; 32]);
    let message = format!("tinkerbell bundle 1\nstate {sessions}\nsha256 {sha256}\n");
    end["signature"] = hex(&key.sign(message.as_bytes()).to_bytes()).into();
    let by_another = written(&end);
    end["key"] = hex(key.verifying_key().as_bytes()).into();
    let of_another = written(&end);
    if let Some(end) = end.as_object_mut() {
        end.remove("key");
        end.remove("signature");
    }
    vec![unsigned, by_another, of_another, written(&end)]
}
