//! Arms that would be trained alike, which no comparison can tell apart.

use crate::net::layer::{Layer, layers};
use crate::recipe::setup::Setup;
use crate::study::arm::Arm;
use crate::study::catalogue::Study;
use crate::study::error::StudyError;
use crate::study::plan::Plan;

/// Checks that no two arms of `study` are the same training of the same network. `has_sets`: whether values of
/// the recipe were replaced.
///
/// # Errors
/// Two arms that are, or an arm whose changes do not go with the settings.
pub(super) fn check_arms(study: &Study, plan: &Plan, has_sets: bool) -> Result<(), StudyError> {
    let mut seen: Vec<(&Arm, Training)> = Vec::new();
    for arm in study.arms {
        let own = Training::of(arm, plan.arm(arm)?)?;
        if let Some((first, _)) = seen.iter().find(|(_, other)| *other == own) {
            return Err(StudyError::SameArms {
                recipe: plan.base.clone(),
                first: first.name,
                second: arm.name,
                why: reason(plan, arm, &own)?,
                remedy: match has_sets {
                    true => {
                        "choose another `--recipe`, or leave the `--set` out that makes them alike"
                    }
                    false => "choose another `--recipe`",
                },
            });
        }
        seen.push((arm, own));
    }
    Ok(())
}

/// What is trained, and how: equal for two arms that come to the same result.
#[derive(Debug, PartialEq)]
struct Training {
    /// Without the network's choices, which the layers follow from, and without choices of no effect.
    setup: Setup,
    layers: Vec<Layer>,
}

impl Training {
    fn of(arm: &Arm, setup: Setup) -> Result<Self, StudyError> {
        let layers = layers(&setup.model).map_err(|source| StudyError::Network {
            arm: arm.name.to_owned(),
            source,
        })?;
        let mut plain = Setup {
            recipe: setup.recipe,
            ..Setup::default()
        };
        plain.model.init = setup.model.init;
        if plain.recipe.color_until == Some(0) {
            plain.recipe.color_std = 0.0;
        }
        if plain.recipe.color_std == 0.0 {
            (plain.recipe.color_until, plain.recipe.color_divisor) = (None, 1.0);
        }
        Ok(Self {
            setup: plain,
            layers,
        })
    }
}

/// Which changes of an arm change nothing.
fn reason(plan: &Plan, arm: &Arm, own: &Training) -> Result<String, StudyError> {
    if *own != Training::of(arm, plan.setup())? {
        return Ok(String::new());
    }
    let sets: Vec<String> = arm.sets.iter().map(|set| format!("`{set}`")).collect();
    Ok(match sets.len() {
        0 => String::new(),
        1 => format!(", since {} changes nothing there", sets[0]),
        _ => format!(", since {} change nothing there", sets.join(" and ")),
    })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use crate::recipe::setup::NAMES;
    use crate::study::catalogue::STUDIES;
    use crate::study::dataset::{DatasetIdentity, SplitIdentity};
    use crate::study::plan::{Plan, Request};

    /// What a study says to a request about images of ten classes, where it refuses.
    fn refusal(study: &str, recipe: &str, sets: &[&str]) -> Option<String> {
        let dataset = DatasetIdentity {
            classes: 10,
            synsets_crc32c: "00000000".to_owned(),
            record: [256, 256],
            train: SplitIdentity {
                split: "train".to_owned(),
                images: 1000,
                shards_crc32c: "00000000".to_owned(),
            },
            validation: None,
        };
        let request = Request {
            recipe: Some(recipe.to_owned()),
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            ..Request::default()
        };
        let study = STUDIES.iter().find(|known| known.name == study).unwrap();
        let error = Plan::new(study, &request, dataset, None).err()?;
        let source = error.source().map(|source| format!(": {source}"));
        Some(format!("{error}{}", source.unwrap_or_default()))
    }

    #[test]
    fn no_study_accepts_a_recipe_that_makes_its_arms_alike() {
        let mut refused = Vec::new();
        for study in STUDIES {
            for (recipe, _) in NAMES {
                let text = refusal(study.name, recipe, &[]).unwrap_or_default();
                if text.contains("are the same network") {
                    refused.push(format!("{} {recipe}", study.name));
                }
            }
        }
        assert_eq!(
            refused,
            ["columns owt", "columns fig1", "lrn owt", "lrn fig1"]
        );
        let text = refusal("lrn", "owt", &[]).unwrap();
        assert_eq!(
            text,
            "with recipe owt the arms with and without are the same network, since `model.lrn=none` and \
             `model.map_norm=none` change nothing there; choose another `--recipe`"
        );
        // A value of the command line may do the same, or a change that ends before it begins.
        let text = refusal("pooling", "small", &["model.pooling=non-overlapping"]).unwrap();
        assert!(text.contains("leave the `--set` out"), "{text}");
        let text = refusal("augmentation", "small", &["color_until=0"]).unwrap();
        assert!(text.contains("arms colour and crops"), "{text}");
        assert_eq!(refusal("lrn", "small", &[]), None);
    }
}
