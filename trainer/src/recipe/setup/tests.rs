use shardmill_loader::Order;

use crate::net::Model;
use crate::net::config::{Activation, Conv1Order, Conv1Window, ModelConfig, Variant};
use crate::recipe::augmentation::{Cropping, Jitter};
use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
use crate::recipe::setup::{NAMES, Setup};
use crate::recipe::{InputScale, LaterRate, Mean, Recipe};

fn message(text: &str) -> String {
    Setup::parse(text).unwrap_err().to_string()
}

#[test]
fn every_recipe_can_be_trained_and_its_text_gives_it_again() {
    for (name, _) in NAMES {
        let setup = Setup::named(name).unwrap();
        assert_eq!(setup.recipe.problem(), None, "{name}");
        setup.model.validate().unwrap();
        let text = setup.to_string();
        assert_eq!(Setup::parse(&text).unwrap(), setup, "{name}: {text}");
    }
}

#[test]
fn a_file_replaces_what_it_names() {
    let setup = Setup::parse(
        r#"
        base = "small"
        epochs = 12
        scale = "standardized"
        conv1_lr = [{ after = 3, lr = 1e-5 }]
        freeze = ["conv1"]
        color_until = 9

        [sgd]
        bias_decay = true

        [schedule]
        kind = "steps"
        milestones = [4, 8]

        [model]
        variant = "alexnet"
        lrn = "none"
        conv1_order = "activation-last"
        map_norm = { size = 3 }
        init = { std_middle = 0.01 }
        "#,
    )
    .unwrap();
    let Setup { recipe, model } = setup;
    assert_eq!(
        (recipe.epochs, recipe.batch_size, recipe.lr),
        (12, 64, 0.002)
    );
    assert_eq!(recipe.scale, InputScale::Standardized);
    assert_eq!((recipe.conv1_lr[0].after, recipe.color_until), (3, Some(9)));
    assert!(recipe.sgd.bias_decay && recipe.sgd.momentum == 0.9);
    assert_eq!(recipe.schedule, ScheduleConfig::steps(vec![4, 8]));
    assert_eq!((model.lrn, model.variant), (None, Variant::Alexnet));
    assert_eq!(model.conv1_order, Conv1Order::ActivationLast);
    assert_eq!(model.map_norm.unwrap().size, 3);
    assert_eq!((model.init.std, model.init.std_middle), (0.01, 0.01));
}

#[test]
fn a_word_alone_is_a_kind_with_its_own_values() {
    let set = |assignment| Setup::default().set(assignment);
    assert_eq!(
        set("cropping=fixed").unwrap().recipe.cropping,
        Cropping::Fixed
    );
    assert_eq!(
        set("schedule=steps").unwrap().recipe.schedule,
        ScheduleConfig::steps(NET_145_MILESTONES.to_vec())
    );
    let setup = set("cropping=resized").unwrap();
    assert_eq!(setup.recipe.cropping, Cropping::resized());
    let setup = setup.set("cropping.area=[0.5, 1]").unwrap();
    let expected = Cropping::Resized {
        area: (0.5, 1.0),
        ratio: (0.75, 4.0 / 3.0),
    };
    assert_eq!(setup.recipe.cropping, expected);
    let file = "[cropping]\nkind = \"resized\"\narea = [0.5, 1.0]";
    assert_eq!(Setup::parse(file).unwrap().recipe.cropping, expected);
    let back = setup.set("cropping=random").unwrap();
    assert_eq!(back.recipe.cropping, Cropping::Random);
    for (text, begin) in [
        ("cropping = \"square\"", "cropping: "),
        (
            "cropping.area = [0.1, 1.0]",
            "there is no key cropping.area; ",
        ),
        (
            "cropping.kind = \"fixed\"\ncropping.area = [0.1, 1.0]",
            "there is no key cropping.area; ",
        ),
        ("schedule = \"cosine\"", "schedule: "),
    ] {
        let found = message(text);
        assert!(found.starts_with(begin), "{text}: {found}");
    }
}

#[test]
fn jitter_and_the_split_to_validate_on_are_keys_too() {
    let file = "val_split = \"test\"\n[jitter]\nhue = 0.1\ncontrast = 0.4";
    let setup = Setup::parse(file).unwrap();
    assert_eq!(setup.recipe.val_split.as_deref(), Some("test"));
    let Jitter { contrast, hue, .. } = setup.recipe.jitter;
    assert_eq!((contrast, hue), (0.4, 0.1));
    assert_eq!(Setup::parse(&setup.to_string()).unwrap(), setup);
    let back = setup.set("val_split=none").unwrap();
    assert_eq!(back.recipe.val_split, None);
    let named = Recipe {
        val_split: Some("none".to_owned()),
        ..Recipe::default()
    };
    assert!(named.problem().unwrap().contains("no choice"));
    let text = message("[jitter]\nbrightnes = 1");
    assert!(text.contains("did you mean brightness?"), "{text}");
}

#[test]
fn a_variant_brings_its_own_choices() {
    let owt = |width| ModelConfig {
        width,
        ..ModelConfig::alexnet_owt()
    };
    let file = "[model]\nvariant = \"alexnet-owt\"\nwidth = 0.5";
    assert_eq!(Setup::parse(file).unwrap().model, owt(0.5));
    let flags = Setup::default().set("model.width=0.25").unwrap();
    assert_eq!(
        flags.set("model.variant=alexnet-owt").unwrap().model,
        owt(1.0)
    );
    // Naming the variant that it is changes nothing else.
    let mut setup = Setup::default().set("model.columns=1").unwrap();
    setup = setup.set("model.variant=alexnet").unwrap();
    assert_eq!(setup.model.columns, 1);
}

#[test]
fn fig1_is_trained_without_regularisation_at_a_rate_that_stays() {
    let Setup { recipe, model } = Setup::named("fig1").unwrap();
    assert_eq!((recipe.sgd.weight_decay, recipe.color_std), (0.0, 0.0));
    assert_eq!((recipe.cropping, recipe.flip), (Cropping::Fixed, false));
    assert_eq!((model.dropout, model.lrn), (0.0, None));
    assert_eq!(recipe.schedule, ScheduleConfig::steps(Vec::new()));
    let text = recipe.to_string();
    assert!(text.contains("schedule  lr stays\n"), "{text}");
    // Its initial values suit tanh too; the variant brings them, and its own number of classes.
    let tanh = Setup::named("fig1")
        .unwrap()
        .with_activation(Activation::Tanh);
    assert_eq!(tanh.recipe, recipe);
    assert_eq!(tanh.model.init, model.init);
    let changed = Setup::default().set("model.variant=fig1").unwrap();
    assert_eq!(changed.model, model);
    let changed = changed.set("model.init.std_conv1=none").unwrap();
    assert_eq!(changed.model.init.std_conv1, None);
}

#[test]
fn the_remedies_of_zeiler_and_fergus_are_keys_too() {
    let set = |assignment| Setup::default().set(assignment).unwrap();
    let window = set("model.conv1_window=7x7");
    assert_eq!(window.model.conv1_window, Conv1Window::Seven);
    assert_eq!(Setup::parse(&window.to_string()).unwrap(), window);
    let radius = set("kernel_radius=0.1");
    assert_eq!(radius.recipe.kernel_radius, Some(0.1));
    let text = radius.recipe.to_string();
    assert!(text.contains("root mean square of 0.1"), "{text}");
    assert_eq!(radius.set("kernel_radius=none").unwrap(), Setup::default());
    let wrong = message("[model]\nconv1_window = \"9x9\"");
    assert!(wrong.starts_with("model.conv1_window: "), "{wrong}");
    // Recipes of before had neither.
    let mut json = serde_json::to_value(Recipe::default()).unwrap();
    assert!(
        json.as_object_mut()
            .unwrap()
            .remove("kernel_radius")
            .is_some()
    );
    let recipe: Recipe = serde_json::from_value(json).unwrap();
    assert_eq!(recipe, Recipe::default());
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let begins = |text: &str, begin: &str| {
        let message = message(text);
        assert!(message.starts_with(begin), "{message}");
    };
    begins(
        "batchsize = 3",
        "there is no key batchsize; did you mean batch_size? The keys there, nearest first: batch_size, ",
    );
    begins(
        "[sgd]\nmomentun = 0.9",
        "there is no key sgd.momentun; did you mean momentum? The keys there, nearest first: momentum, ",
    );
    begins(
        "[schedule]\nmilestones = [3]",
        "there is no key schedule.milestones; the keys there, nearest first: ",
    );
    begins(
        "qqq = 1",
        "there is no key qqq; the keys there, nearest first: ",
    );
    for key in ["lr", "sgd", "color_until", "model"] {
        assert!(message("qqq = 1").contains(key));
    }
    let text = message("base = \"papper\"");
    assert!(text.contains("did you mean paper?"), "{text}");
}

#[test]
fn net_145_is_what_the_authors_source_says() {
    let Setup { recipe, model } = Setup::named("net145").unwrap();
    assert_eq!(recipe.mean, Mean::ImageCenter);
    assert!(model.lrn_within_columns && model.columns == 2);
    let network = Model::new(&narrow(&model), 1).unwrap();
    for parameter in network.parameters() {
        let rate = |finished| recipe.rate(parameter, 1e-4, finished);
        let lr = |finished| rate(finished).map(|rate| rate.lr);
        if parameter.name().starts_with("conv1.") {
            // Not at a rate of 0, with which momentum would go on: not at all.
            assert_eq!((lr(71), lr(72), lr(90)), (Some(1e-5), None, None));
        } else {
            assert!(lr(71).is_some() && lr(71) == lr(72), "{}", parameter.name());
        }
    }
    // Lines are broken at 80 columns.
    let text = recipe.to_string();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("conv1 frozen after epoch 72"), "{text}");
    assert!(
        text.contains("0-255 minus the centre of the mean image, for every window"),
        "{text}"
    );
}

#[test]
fn a_frozen_layer_has_no_rate_and_one_with_the_rate_0_has() {
    let model = Model::new(&narrow(&ModelConfig::alexnet()), 1).unwrap();
    for frozen in [true, false] {
        let later = LaterRate {
            after: 0,
            lr: 0.0,
            frozen,
        };
        let recipe = Recipe {
            conv1_lr: vec![later],
            ..Recipe::default()
        };
        let rate = recipe.rate(&model.parameters()[0], 0.01, 0);
        assert_eq!(rate.map(|rate| rate.lr), (!frozen).then_some(0.0));
    }
}

#[test]
fn a_rate_of_0_in_a_text_freezes_conv1_unless_it_says_otherwise() {
    let frozen = |text: &str| {
        let rates = Setup::parse(text).unwrap().recipe.conv1_lr;
        rates.iter().map(|rate| rate.frozen).collect::<Vec<_>>()
    };
    let text =
        "conv1_lr = [{ after = 3, lr = 1e-5 }, { after = 4, lr = 0 }, { after = 5, lr = 0.0 }]";
    assert_eq!(frozen(text), [false, true, true]);
    assert_eq!(
        frozen("conv1_lr = [{ after = 3, lr = 0, frozen = false }]"),
        [false]
    );
    let wrong = Setup::parse("conv1_lr = [{ after = 3, lr = 0.1, frozen = true }]").unwrap();
    let problem = wrong.recipe.problem().unwrap();
    assert!(problem.contains("frozen after epoch 3"), "{problem}");
}

#[test]
fn without_response_normalisation_there_are_no_columns_to_stay_within() {
    let net145 = || Setup::named("net145").unwrap();
    let none = net145().set("model.lrn=none").unwrap().model;
    assert!(none.lrn.is_none() && !none.lrn_within_columns);
    none.validate().unwrap();
    let both = net145().set("model.lrn=none").unwrap();
    let both = both.set("model.lrn_within_columns=true").unwrap();
    let refused = both.model.validate().unwrap_err().to_string();
    assert!(
        refused.contains("false where model.lrn is none"),
        "{refused}"
    );
}

fn narrow(model: &ModelConfig) -> ModelConfig {
    ModelConfig {
        width: 0.05,
        input_size: 67,
        classes: 3,
        ..model.clone()
    }
}

#[test]
fn net_145_shares_its_draws_and_its_former_name_is_refused() {
    assert_eq!(Setup::named("net145").unwrap().recipe.draw_every, 32);
    assert_eq!(Setup::named("paper").unwrap().recipe.draw_every, 1);
    let refused = Setup::open("net145-approx").unwrap_err().to_string();
    assert!(refused.contains("did you mean net145?"), "{refused}");
    let zero = Setup::parse("draw_every = 0").unwrap().recipe.problem();
    assert!(zero.unwrap().contains("images to a draw"));
}

#[test]
fn an_order_is_a_word_and_the_lack_of_one_is_any_place() {
    assert_eq!(Setup::default().recipe.order, Order::Global);
    let four = Setup::parse("order = \"shards:4\"").unwrap();
    assert_eq!(four.recipe.order, Order::Shards { together: 4 });
    assert_eq!(Setup::default().set("order=shards:4").unwrap(), four);
    assert_eq!(Setup::parse(&four.to_string()).unwrap(), four);
    assert_eq!(four.recipe.problem(), None);
    assert!(four.recipe.to_string().contains("order     shards:4"));
    let [found] = &Setup::default().differences(&four)[..] else {
        panic!("one value differs");
    };
    assert_eq!([&*found.key, &*found.second], ["order", "shards:4"]);
    let refused = Setup::default().set("order=shards:0").unwrap_err();
    assert!(
        refused.to_string().contains("order: give global"),
        "{refused}"
    );
    let ordered = Setup::default().set("order=sequential").unwrap();
    assert!(ordered.recipe.problem().unwrap().contains("shuffled"));
    // A checkpoint of an earlier version has no such value.
    let old = serde_json::to_string(&Setup::default().recipe).unwrap();
    let old = old.replace("\"order\":\"global\",", "");
    assert!(!old.contains("order"));
    assert_eq!(
        serde_json::from_str::<Recipe>(&old).unwrap(),
        Recipe::default()
    );
}

#[test]
fn values_of_another_type_are_refused_with_their_key() {
    for (text, key) in [
        ("lr = \"fast\"", "lr: "),
        ("epochs = -1", "epochs: "),
        ("epochs = \"none\"", "epochs: "),
        ("[model]\nvariant = \"vgg\"", "model.variant: "),
        ("[sgd]\nbias_decay = 2", "sgd.bias_decay: "),
        ("[model]\nlrn = { size = 2.5 }", "model.lrn.size: "),
        ("[schedule]\nkind = \"cosine\"", "schedule: "),
        ("sgd = 1", "sgd: "),
        ("conv1_lr = [{ after = 1, rate = 2 }]", "conv1_lr: "),
    ] {
        let found = message(text);
        assert!(found.starts_with(key), "{text}: {found}");
    }
}

#[test]
fn single_values_are_set_by_dotted_keys() {
    let set = |assignment| Setup::default().set(assignment);
    assert_eq!(set("lr=0.5").unwrap().recipe.lr, 0.5);
    assert_eq!(set("model.lrn=none").unwrap().model.lrn, None);
    assert_eq!(set("model.lrn.k=1").unwrap().model.lrn.unwrap().k, 1.0);
    assert_eq!(
        set("model.variant=alexnet-owt").unwrap().model.variant,
        Variant::AlexnetOwt
    );
    assert_eq!(set("freeze=[\"conv\"]").unwrap().recipe.freeze, ["conv"]);
    assert!(set("lr").unwrap_err().to_string().contains("KEY=VALUE"));
    assert!(
        set("sgd.momentumm=1")
            .unwrap_err()
            .to_string()
            .contains("did you mean momentum")
    );
}
