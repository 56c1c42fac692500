//! A model that is slow, fails, hangs, does not listen, and asks for tools that are not there.

use super::stage::{Stage, World};
use super::time::SimulatedTime;
use super::treachery::Treachery;
use agent::{Failure, ModelName, ModelSpec, Money, Stop, Tokens, Usage};
use daemon::{Clock, ExtraModel};
use models::{Backend, Description, Ended, Partial, PendingCall, Reply, ReplyCall, Request, Sink};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use wire::rest::Abilities;
use wire::{BlobHash, DeltaKind};

/// The models that there are.
pub(super) const VOICES: [&str; 2] = ["openai::alto", "openai::bass"];

/// The tool that touches the world.
pub(super) const BELL: &str = "ring_bell";

/// The models as parts of a daemon.
pub(super) fn voices(stage: &Stage, time: &SimulatedTime) -> Vec<ExtraModel> {
    let voice = |name: &'static str, price: u64| ExtraModel {
        name: ModelName::new(name),
        backend: Arc::new(Voice { stage: stage.clone(), clock: Clock::of(Arc::new(time.clone())) }),
        spec: ModelSpec {
            context_tokens: Tokens(60_000),
            max_output_tokens: Tokens(1_000),
            input_microusd_per_mtok: Money(price),
            output_microusd_per_mtok: Money(price * 4),
            priced: true,
        },
        abilities: Abilities::default(),
    };
    vec![voice(VOICES[0], 1_000_000), voice(VOICES[1], 250_000)]
}

struct Voice {
    stage: Stage,
    clock: Clock,
}

/// What one call is going to be like.
struct Performance {
    pieces: Vec<&'static str>,
    pause: Duration,
    /// It does not end when it is asked to.
    deaf: bool,
    hangs: bool,
    failure: Option<(Failure, Option<u64>)>,
    calls: Vec<ReplyCall>,
    usage: Usage,
    stop: Stop,
}

impl Backend for Voice {
    fn call(&self, request: Request, sink: Sink, stop: CancellationToken) -> PendingCall {
        let (stage, clock) = (self.stage.clone(), self.clock.clone());
        Box::pin(async move {
            let performance = perform(&mut stage.world(), &request);
            let mut said = String::new();
            let partial =
                |text: &str| Partial { text: text.to_owned(), reasoning: String::new(), usage: performance.usage };
            for piece in &performance.pieces {
                tokio::select! {
                    biased;
                    () = stop.cancelled(), if !performance.deaf => return Ended::Interrupted { partial: partial(&said) },
                    () = clock.sleep(performance.pause) => {}
                }
                sink(DeltaKind::Message, piece);
                said.push_str(piece);
            }
            if performance.hangs {
                stop.cancelled().await;
                if performance.deaf {
                    std::future::pending::<()>().await;
                }
                return Ended::Interrupted { partial: partial(&said) };
            }
            if let Some((failure, retry_after_ms)) = performance.failure {
                let message = "the simulation says so".to_owned();
                return Ended::Failed { failure, retry_after_ms, message, partial: partial(&said) };
            }
            let Performance { calls, stop, usage, .. } = performance;
            let request = BlobHash::of(format!("{:?}", request.messages).as_bytes());
            Ended::Finished(Reply { text: said, reasoning: String::new(), calls, stop, usage, request, carry: None })
        })
    }

    fn fingerprint(&self, request: &Request) -> Option<BlobHash> {
        Some(BlobHash::of(format!("{:?}", request.messages).as_bytes()))
    }

    fn describe(&self) -> Description {
        Description { provider: "simulated", address: None, remote: false }
    }
}

fn perform(world: &mut World, request: &Request) -> Performance {
    let calm = world.calm;
    let calls = calls(world, request);
    let random = &mut world.random;
    let trouble = !calm && random.chance(25);
    let failure = (trouble && random.chance(60)).then(|| {
        use Failure::*;
        let failure = random.weighed(&[
            (3, Unreachable),
            (1, Unauthorized),
            (3, RateLimited),
            (4, Overloaded),
            (4, Broken),
            (2, TimedOut),
            (1, ContextTooLong),
            (1, Rejected),
        ]);
        (failure, (failure == RateLimited).then(|| random.pick(&[0, 900, 400_000])))
    });
    let stop = if calls.is_empty() {
        random.weighed(&[(9, Stop::End), (u64::from(!calm), Stop::Length)])
    } else {
        Stop::ToolCalls
    };
    // A call is said to have used more than it can have, now and then.
    let lies = !calm && random.chance(2);
    Performance {
        pieces: ["So, ", "let me see. ", "Now then."][..random.between(0, 3) as usize].to_vec(),
        pause: Duration::from_millis(random.weighed(&[(60, 5), (30, 90), (10, 2_500)])),
        deaf: trouble && random.chance(20),
        hangs: trouble && failure.is_none(),
        failure,
        calls,
        usage: Usage {
            input_tokens: Tokens(random.between(10, 900) * if lies { 1_000 } else { 1 }),
            output_tokens: Tokens(random.between(1, 300)),
            cached_tokens: Tokens(0),
            estimated: false,
        },
        stop,
    }
}

fn calls(world: &mut World, request: &Request) -> Vec<ReplyCall> {
    let many = match (world.random.chance(if world.calm { 85 } else { 40 }), world.calm) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => world.random.between(1, 4),
    };
    (0..many)
        .map(|at| {
            let (name, arguments) = call(world, request);
            ReplyCall { id: format!("call_{at}"), name: name.to_owned(), arguments: arguments.to_string() }
        })
        .collect()
}

fn call(world: &mut World, request: &Request) -> (&'static str, serde_json::Value) {
    let path = world.random.pick(&["a.txt", "b.txt", "c.txt", "deep/d.txt"]);
    let content = format!("{} {}\n", world.random.below(4), world.random.below(4));
    let last = if world.calm { 4 } else { 7 };
    match world.random.below(last) {
        0 => ("read_file", json!({ "path": path })),
        1 => ("write_file", json!({ "path": path, "content": content })),
        2 | 3 => {
            let label = world.label();
            if world.treachery == Some(Treachery::ModelActsItself) && request.tools.iter().any(|tool| tool.name == BELL)
            {
                world.ring(label);
            }
            (BELL, json!({ "label": label.to_string() }))
        }
        4 => ("plugged", json!({ "label": "x" })),
        5 => ("edit_file", json!({ "path": path, "old": "1", "new": "2" })),
        _ => ("write_file", json!({ "path": 7 })),
    }
}
