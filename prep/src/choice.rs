//! Options whose values have names.

/// An option has an unknown value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {option} {found:?}: use {expected}")]
pub struct UnknownChoice {
    /// Name of the option.
    pub option: &'static str,
    /// What was given.
    pub found: String,
    /// The valid names.
    pub expected: String,
}

/// An enum whose values have names on the command line and in the manifest.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $option:literal {
        $($(#[$value_doc:meta])* $value:ident = $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::choice::UnknownChoice;

            fn from_str(name: &str) -> Result<Self, $crate::choice::UnknownChoice> {
                let found = Self::ALL.iter().copied().find(|value| value.name() == name);
                found.ok_or_else(|| $crate::choice::UnknownChoice {
                    option: $option,
                    found: name.to_owned(),
                    expected: [$($text),+].join(", "),
                })
            }
        }
    };
}
pub(crate) use choice;
