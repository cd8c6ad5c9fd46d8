//! The studies as data: what each compares, and what the paper says about it.

use crate::study::arm::Arm;

/// A comparison of the paper.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Study {
    /// On the command line.
    pub(crate) name: &'static str,
    /// What it compares, in a line.
    pub(crate) about: &'static str,
    /// What it does.
    pub(crate) kind: Kind,
    /// What the paper says, with its place.
    pub(crate) paper: &'static str,
    /// What differs from the recipe in every arm.
    pub(crate) base: &'static [&'static str],
    /// The arms. The first is the paper's own, with which the others are compared.
    pub(crate) arms: &'static [Arm],
}

/// What a study does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Trains every arm until it reaches an error on the training images, at the rate that a search chooses.
    Race,
    /// Trains every arm for the same number of epochs, and compares the errors.
    Comparison,
    /// Averages the predictions of networks that are there already.
    Ensemble,
}

/// Every study, in the order of the paper.
pub(crate) const STUDIES: [Study; 9] = [
    Study {
        name: "relu",
        about: "epochs to 25% training error with ReLU and with tanh (Fig. 1)",
        kind: Kind::Race,
        paper: "Section 3.1 and Fig. 1: a four-layer network with ReLUs \"reaches a 25% training error rate on \
                CIFAR-10 six times faster than an equivalent network with tanh neurons\"; the rate of each was \
                chosen to make training as fast as possible, without regularisation. The paper gives no number \
                of trials and no spread.",
        // No regularisation of any kind, and no augmentation.
        base: &[
            "cropping=fixed",
            "flip=false",
            "color_std=0",
            "sgd.weight_decay=0",
            "model.dropout=0",
        ],
        arms: &[
            Arm::changed("relu", "ReLU", &["model.activation=relu"]),
            Arm::changed("tanh", "tanh", &["model.activation=tanh"]),
        ],
    },
    Study {
        name: "columns",
        about: "two columns against one of half the kernels",
        kind: Kind::Comparison,
        paper: "Section 3.2: two columns reduce the top-1 and top-5 errors by 1.7 and 1.2 points beside a network \
                with half the kernels in each convolution that is trained on one GPU.",
        base: &[],
        arms: &[
            Arm::base("two", "two columns"),
            Arm::changed(
                "one",
                "one column",
                &["model.columns=1", "model.lrn_within_columns=false"],
            )
            .paper("+1.7 / +1.2"),
        ],
    },
    Study {
        name: "lrn",
        about: "with and without local response normalisation",
        kind: Kind::Comparison,
        paper: "Section 3.3: response normalisation reduces the top-1 and top-5 errors by 1.4 and 1.2 points.",
        base: &[],
        arms: &[
            Arm::base("with", "with normalisation"),
            Arm::changed(
                "without",
                "without",
                &["model.lrn=none", "model.map_norm=none"],
            )
            .paper("+1.4 / +1.2"),
        ],
    },
    Study {
        name: "pooling",
        about: "overlapping pools of 3x3 against pools of 2x2",
        kind: Kind::Comparison,
        paper: "Section 3.4: overlapping pooling reduces the top-1 and top-5 errors by 0.4 and 0.3 points.",
        base: &[],
        arms: &[
            Arm::base("overlapping", "3x3 every 2 pixels"),
            Arm::changed(
                "non-overlapping",
                "2x2 every 2 pixels",
                &["model.pooling=non-overlapping"],
            )
            .paper("+0.4 / +0.3"),
        ],
    },
    Study {
        name: "augmentation",
        about: "no augmentation, crops and flips, and these with colour noise",
        kind: Kind::Comparison,
        paper: "Section 4.1: colour noise reduces the top-1 error by over 1 point; without crops and reflections \
                the network \"suffers from substantial overfitting\", for which the paper has no figure.",
        base: &[],
        arms: &[
            Arm::changed(
                "colour",
                "crops, flips and colour",
                &["cropping=random", "flip=true", "color_std=0.1"],
            ),
            Arm::changed(
                "crops",
                "crops and flips",
                &["cropping=random", "flip=true", "color_std=0"],
            )
            .paper("over +1 / no figure"),
            Arm::changed(
                "none",
                "none",
                &["cropping=fixed", "flip=false", "color_std=0"],
            )
            .paper("no figure"),
        ],
    },
    Study {
        name: "dropout",
        about: "with and without dropout in the first two fully connected layers",
        kind: Kind::Comparison,
        paper: "Section 4.2: without dropout the network \"exhibits substantial overfitting\", and dropout \
                \"roughly doubles the number of iterations required to converge\"; the paper has no figure.",
        base: &[],
        arms: &[
            Arm::changed("with", "with dropout", &["model.dropout=0.5"]),
            Arm::changed("without", "without", &["model.dropout=0"]).paper("no figure"),
        ],
    },
    Study {
        name: "depth",
        about: "each middle convolution removed",
        kind: Kind::Comparison,
        paper: "Section 7: \"removing any of the middle layers results in a loss of about 2% for the top-1 \
                performance of the network\".",
        base: &[],
        arms: &[
            Arm::base("all", "all five convolutions"),
            Arm::changed("no-conv2", "without conv2", &["model.removed_conv=2"]).paper("about +2"),
            Arm::changed("no-conv3", "without conv3", &["model.removed_conv=3"]).paper("about +2"),
            Arm::changed("no-conv4", "without conv4", &["model.removed_conv=4"]).paper("about +2"),
            Arm::changed("no-conv5", "without conv5", &["model.removed_conv=5"]).paper("about +2"),
        ],
    },
    Study {
        name: "zfnet",
        about: "conv1 of 7x7 with stride 2, with and without the remedy for dead kernels",
        kind: Kind::Comparison,
        paper: "The paper has no such network. Zeiler and Fergus (2013) made conv1's windows 7x7 with stride 2, \
                and renormalised kernels that dominate.",
        base: &[],
        arms: &[
            Arm::base("paper", "11x11 every 4 pixels"),
            Arm::changed("small", "7x7 every 2 pixels", &["model.conv1_window=7x7"]),
            Arm::changed(
                "remedy",
                "7x7 every 2 pixels, with the remedy",
                &["model.conv1_window=7x7", "kernel_radius=0.1"],
            ),
        ],
    },
    Study {
        name: "ensemble",
        about: "the averaged predictions of several networks",
        kind: Kind::Ensemble,
        paper: "Table 2, ILSVRC-2012 validation, top-1 / top-5: one network 40.7 / 18.2, five averaged 38.1 / \
                16.4; seven 36.7 / 15.4, of which two were pre-trained on the 2011 release.",
        base: &[],
        arms: &[],
    },
];

impl Study {
    /// The study of a name.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        STUDIES.iter().find(|study| study.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Kind, STUDIES};
    use crate::net::layer::layers;
    use crate::recipe::setup::Setup;

    #[test]
    fn every_arm_is_a_network_of_its_own() {
        for study in STUDIES {
            let base = Setup::default()
                .set_all(study.base.iter().copied())
                .unwrap();
            let mut seen = BTreeSet::new();
            for arm in study.arms {
                let setup = base.clone().set_all(arm.sets.iter().copied()).unwrap();
                layers(&setup.model).unwrap();
                assert_eq!(setup.recipe.problem(), None);
                assert!(
                    seen.insert(setup.to_string()),
                    "{} of {} is another arm's copy",
                    arm.name,
                    study.name
                );
            }
            assert_eq!(study.arms.is_empty(), study.kind == Kind::Ensemble);
        }
    }
}
