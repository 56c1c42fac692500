//! `models test`: a few small calls, outside any session, that find out what a model can do.

use crate::house::House;
use agent::ModelName;
use models::Outcome;
use wire::rest::{Finding, FindingOutcome, ModelTest};
use wire::{Code, Problem};

/// Tries a model. The name is the user's agreement, as with a prompt.
pub(crate) async fn test(house: &House, name: &ModelName) -> Result<ModelTest, Problem> {
    house.catalog.learn(name).await?;
    let outfit = house.catalog.current();
    let voice = outfit.voices.get(name).ok_or_else(|| {
        Problem::new(Code::InvalidRequest, format!("{name} is a route; a test is about one model"))
            .remedy("`tinkerbell models ls` lists the models")
    })?;
    if let Some(missing) = &voice.missing {
        return Err(Problem::new(Code::Conflict, missing.clone()));
    }
    let examined = models::examine(&*voice.backend, &voice.provider_model, Some(voice.spec.context_tokens)).await;
    let findings = examined.findings.into_iter().map(|found| Finding {
        name: found.name.to_owned(),
        outcome: match found.outcome {
            Outcome::Works => FindingOutcome::Works,
            Outcome::Fails => FindingOutcome::Fails,
            Outcome::Ignored => FindingOutcome::Ignored,
            Outcome::Untried => FindingOutcome::Untried,
        },
        detail: outfit.secrets.masked_cut(found.detail),
        took_ms: found.took_ms,
    });
    Ok(ModelTest {
        name: name.clone(),
        provider: voice.backend.describe().provider.to_owned(),
        findings: findings.collect(),
        cost_microusd: voice.spec.cost(examined.usage.input_tokens, examined.usage.output_tokens),
    })
}
