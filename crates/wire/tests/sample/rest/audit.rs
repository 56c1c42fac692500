//! Audits and forgetting.

use crate::sample::shapes::{MORNING, session};
use crate::sample::written::{Written, written};
use agent::{PublicKey, Seq, SessionId};
use wire::ChainHash;
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    [of_audits(), of_forgetting()].into_iter().flatten().collect()
}

fn of_audits() -> Vec<Written> {
    let damaged = |part, journal: Option<&str>, seq, link, what: &str| Damage {
        part,
        journal: journal.map(str::to_owned),
        seq,
        link,
        what: what.to_owned(),
    };
    let damage = vec![
        damaged(AuditPart::Journals, Some("daemon"), Some(Seq(3)), None, "is missing"),
        damaged(AuditPart::Heads, None, None, Some(9), "it is missing"),
        damaged(AuditPart::Signatures, None, None, Some(9), "the signature is not of this key"),
        damaged(AuditPart::Blobs, None, None, None, "has other bytes than its name says"),
    ];
    let key = PublicKey([0xa7; 32]);
    let signed = Signed { link: 57, hash: ChainHash([2; 32]), at: MORNING, state: ChainHash([1; 32]), key };
    let sound = AuditReport {
        sound: true,
        journals: 3,
        archived: 1,
        events: 120,
        forgotten: 2,
        links: 57,
        removed: 1,
        signatures: 4,
        blobs: 9,
        signed: Some(signed),
        keys: vec![key],
        damage: vec![],
    };
    let worse = AuditReport { sound: false, signed: None, damage: damage.clone(), ..sound.clone() };
    let [one, two, three, four] = [damage[0].clone(), damage[1].clone(), damage[2].clone(), damage[3].clone()];
    written![
        AuditReport: [sound, worse],
        Damage: [one, two, three, four],
        AuditProgress: [AuditProgress { part: AuditPart::Journals, done: 4_096 }],
        Signed: [signed],
    ]
}

fn of_forgetting() -> Vec<Written> {
    let fork = SessionId::from_parts(1_763_974_861_000, 0xfedc_ba98_7654_3210);
    let place = EventPlace { session: session(), seq: Seq(5) };
    let gone = ForkRedacted { session: fork, forgotten: vec![Seq(3)], refused: None };
    let kept = ForkRedacted { session: fork, forgotten: vec![], refused: Some("a turn is running there".to_owned()) };
    let redacted = Redacted {
        session: session(),
        seq: Some(Seq(58)),
        forgotten: vec![Seq(1), Seq(3)],
        paths_left: 1,
        forks: vec![gone.clone(), kept.clone()],
        still_held: vec![place],
        originals: vec![place],
        snapshots: vec!["2026-11-23T09-00-00Z".to_owned()],
        held_in: vec![super::snapshots::row(None)],
        kept_states: vec!["/home/ada/state/before-restore-20261123T090000Z".to_owned()],
        cleared: true,
    };
    let nothing = Redacted { seq: None, forgotten: vec![], held_in: vec![], kept_states: vec![], ..redacted.clone() };
    written![
        RedactRequest: [
            RedactRequest { seqs: vec![Seq(3)], reason: None, keep_forks: false },
            RedactRequest { seqs: vec![Seq(3)], reason: Some("a name".to_owned()), keep_forks: true },
        ],
        Redacted: [redacted, nothing],
        ForkRedacted: [gone, kept],
        EventPlace: [place],
    ]
}
