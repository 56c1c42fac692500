//! Models: which there are, what they can do, what a test of one found.

use super::{model, words};
use crate::sample::written::{Written, written};
use agent::{ModelName, Money, Tokens};
use wire::rest::*;

pub(super) fn samples() -> Vec<Written> {
    let servers = vec![server("ollama", "http://127.0.0.1:11434", words("0.12.6")), server("openai", LOCAL, None)];
    let offered = OfferedRow {
        provider: "openai".to_owned(),
        variable: "OPENAI_API_KEY".to_owned(),
        example: ModelName::new("openai::gpt-5"),
    };
    let routes = vec![
        RouteRow { name: ModelName::new("careful"), models: vec![model(), found().name], default: false },
        RouteRow { name: ModelName::new("here"), models: vec![found().name], default: true },
    ];
    let bare = ModelList { models: vec![], routes: vec![], servers: vec![], offered: vec![] };
    let full = ModelList {
        models: vec![built_in(), configured()],
        routes: routes.clone(),
        servers: servers.clone(),
        offered: vec![offered.clone()],
    };
    let ([careful, here], [versioned, silent]) =
        ([0, 1].map(|i| routes[i].clone()), [0, 1].map(|i| servers[i].clone()));
    let mut all = written![
        ModelRow: [built_in(), configured(), found(), named()],
        Abilities: [Abilities::default(), all_abilities(Tooling::Native), no_abilities()],
        ModelList: [bare, full],
        RouteRow: [careful, here],
        ServerRow: [versioned, silent],
        OfferedRow: [offered],
    ];
    all.extend(of_tests());
    all
}

const LOCAL: &str = "http://127.0.0.1:8080/v1";

fn of_tests() -> Vec<Written> {
    let finding = |name: &str, outcome, detail: &str, took_ms| Finding {
        name: name.to_owned(),
        outcome,
        detail: detail.to_owned(),
        took_ms,
    };
    let findings = [
        finding("text", FindingOutcome::Works, "it answered", 412),
        finding("json_schema", FindingOutcome::Ignored, "the reply is not what the schema asks for", 388),
        finding("tool_call", FindingOutcome::Fails, "the server answered 400: \"tools\" is not known", 17),
        finding("context_size", FindingOutcome::Untried, "nothing says how large the window is", 0),
    ];
    let test = ModelTest {
        name: found().name,
        provider: found().provider,
        findings: findings.to_vec(),
        cost_microusd: Money(12),
    };
    let [works, ignored, fails, untried] = findings;
    written![
        Finding: [works, ignored, fails, untried],
        ModelTest: [ModelTest { findings: vec![], cost_microusd: Money(0), ..test.clone() }, test],
    ]
}

/// A model whose optional fields are all left out.
fn built_in() -> ModelRow {
    ModelRow {
        name: ModelName::new("offline"),
        provider: "offline".to_owned(),
        base_url: None,
        source: ModelSource::BuiltIn,
        remote: false,
        context_tokens: Tokens(32_768),
        input_microusd_per_mtok: Money(0),
        output_microusd_per_mtok: Money(0),
        priced: true,
        abilities: Abilities::default(),
        health: None,
        default: true,
        missing: None,
    }
}

fn configured() -> ModelRow {
    ModelRow {
        name: model(),
        provider: "anthropic".to_owned(),
        base_url: words("https://api.anthropic.com"),
        source: ModelSource::Configured,
        remote: true,
        context_tokens: Tokens(200_000),
        input_microusd_per_mtok: Money(3_000_000),
        output_microusd_per_mtok: Money(15_000_000),
        abilities: all_abilities(Tooling::Native),
        health: Some(Health::Up),
        default: false,
        missing: words("ANTHROPIC_API_KEY is not set"),
        ..built_in()
    }
}

fn found() -> ModelRow {
    ModelRow {
        name: ModelName::new("ollama::qwen3:8b"),
        provider: "ollama".to_owned(),
        base_url: words("http://127.0.0.1:11434"),
        source: ModelSource::Found,
        abilities: no_abilities(),
        health: Some(Health::Down),
        default: false,
        ..built_in()
    }
}

fn named() -> ModelRow {
    ModelRow {
        name: ModelName::new("openrouter::qwen/qwen3-coder:free"),
        provider: "openrouter".to_owned(),
        source: ModelSource::Named,
        remote: true,
        priced: false,
        default: false,
        ..built_in()
    }
}

fn all_abilities(tools: Tooling) -> Abilities {
    let yes = Some(true);
    Abilities { tools, images: yes, documents: yes, json: yes, reasoning: yes }
}

fn no_abilities() -> Abilities {
    let no = Some(false);
    Abilities { tools: Tooling::Constrained, images: no, documents: no, json: no, reasoning: no }
}

fn server(kind: &str, base_url: &str, version: Option<String>) -> ServerRow {
    ServerRow { kind: kind.to_owned(), base_url: base_url.to_owned(), version, models: 4 }
}
