//! Arms that would be trained alike, which no comparison can tell apart.

use crate::net::layer::{Layer, layers};
use crate::recipe::setup::Setup;
use crate::study::arm::Arm;
use crate::study::catalogue::Study;
use crate::study::error::StudyError;

/// The settings that arms change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    /// The recipe that they started from.
    pub(super) recipe: &'a str,
    /// The settings.
    pub(super) setup: &'a Setup,
    /// Whether values of the recipe were replaced.
    pub(super) has_sets: bool,
}

/// Checks that no two arms of `study`, whose settings `arm_setup` gives, are the same training of the same network.
///
/// # Errors
/// Two arms that are, or an arm whose changes do not go with the settings.
pub(super) fn check_arms(
    study: &Study,
    common: Common<'_>,
    arm_setup: impl Fn(&Arm) -> Result<Setup, StudyError>,
) -> Result<(), StudyError> {
    let remedy = match common.has_sets {
        true => "choose another `--recipe`, or leave the `--set` out that does it",
        false => "choose another `--recipe`",
    };
    let is_sound = common.setup.recipe.problem().is_none() && layers(&common.setup.model).is_ok();
    let mut seen: Vec<(&Arm, Training)> = Vec::new();
    for arm in study.arms {
        let own = arm_setup(arm).and_then(|setup| Training::of(arm, setup));
        let own = own.map_err(|source| match is_sound {
            true => StudyError::Unfit {
                recipe: common.recipe.to_owned(),
                study: study.name,
                remedy,
                source: Box::new(source),
            },
            false => source,
        })?;
        if let Some((first, _)) = seen.iter().find(|(_, other)| *other == own) {
            return Err(StudyError::SameArms {
                recipe: common.recipe.to_owned(),
                first: first.name,
                second: arm.name,
                why: reason(common.setup, arm, &own)?,
                remedy,
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
fn reason(setup: &Setup, arm: &Arm, own: &Training) -> Result<String, StudyError> {
    if *own != Training::of(arm, setup.clone())? {
        return Ok(String::new());
    }
    let sets: Vec<String> = arm.sets.iter().map(|set| format!("`{set}`")).collect();
    Ok(match sets.len() {
        0 => String::new(),
        1 => format!(", since {} changes nothing there", sets[0]),
        _ => format!(", since {} change nothing there", sets.join(" and ")),
    })
}
