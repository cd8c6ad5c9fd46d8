use super::*;

#[test]
fn serialises_and_reads_back() {
    let config = ModelConfig {
        removed_conv: Some(4),
        ..ModelConfig::alexnet_owt()
    };
    let json = serde_json::to_string(&config).unwrap();
    assert!(json.contains(r#""variant":"alexnet-owt""#), "{json}");
    assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), config);
}

#[test]
fn an_unknown_field_is_refused() {
    assert!(serde_json::from_str::<ModelConfig>(r#"{"lrm": null}"#).is_err());
}

#[test]
fn values_out_of_range_are_named() {
    let config = ModelConfig {
        dropout: 1.0,
        ..ModelConfig::alexnet()
    };
    let message = config.validate().unwrap_err().to_string();
    assert_eq!(message, "model.dropout is 1; expected 0 or more, below 1");
    let spoil: [fn(&mut ModelConfig); 5] = [
        |config| config.classes = 0,
        |config| config.variant = Variant::AlexnetOwt,
        |config| config.removed_conv = Some(1),
        |config| (config.lrn, config.lrn_within_columns) = (None, true),
        |config| config.width = f64::NAN,
    ];
    for spoil in spoil {
        let mut config = ModelConfig::alexnet();
        spoil(&mut config);
        assert!(config.validate().is_err(), "{config:?}");
    }
}

#[test]
fn what_fig1_does_not_have_is_refused_in_words() {
    ModelConfig::fig1().validate().unwrap();
    let spoil: [fn(&mut ModelConfig); 10] = [
        |config| config.columns = 2,
        |config| config.lrn = Some(LrnConfig::default()),
        |config| config.lrn_within_columns = true,
        |config| config.map_norm = Some(LrnConfig::NET_145_MAPS),
        |config| config.conv5_pool_first = true,
        |config| config.pooling = Pooling::NonOverlapping,
        |config| config.dropout = 0.5,
        |config| config.removed_conv = Some(2),
        |config| config.conv1_padding = Conv1Padding::RightBottom,
        |config| config.conv1_window = Conv1Window::Seven,
    ];
    for (spoil, (field, _)) in spoil.into_iter().zip(FIG_1_FIXED) {
        let mut config = ModelConfig::fig1();
        spoil(&mut config);
        let message = config.validate().unwrap_err().to_string();
        let named = message.starts_with(&format!("model.{field} is "));
        assert!(named && message.contains("for fig1"), "{message}");
    }
    let config = ModelConfig {
        dropout: 0.5,
        ..ModelConfig::fig1()
    };
    let message = config.validate().unwrap_err().to_string();
    assert_eq!(
        message,
        "model.dropout is 0.5; expected 0 for fig1, which is trained without regularisation"
    );
}

#[test]
fn what_earlier_versions_wrote_means_the_same() {
    let mut json = serde_json::to_value(ModelConfig::alexnet()).unwrap();
    assert!(
        json.as_object_mut()
            .unwrap()
            .remove("conv1_window")
            .is_some()
    );
    let init = json["init"].as_object_mut().unwrap();
    assert!(init.remove("std_conv1").is_some());
    let config: ModelConfig = serde_json::from_value(json).unwrap();
    assert_eq!(config, ModelConfig::alexnet());
}

#[test]
fn another_variant_keeps_only_classes_that_were_chosen() {
    let alexnet = ModelConfig::alexnet();
    assert_eq!(alexnet.changed_to(Variant::Fig1), ModelConfig::fig1());
    let chosen = ModelConfig {
        classes: 20,
        width: 0.5,
        ..alexnet
    };
    let other = chosen.changed_to(Variant::Fig1);
    assert_eq!((other.classes, other.width), (20, 1.0));
    assert_eq!(chosen.changed_to(Variant::Alexnet), chosen);
}
