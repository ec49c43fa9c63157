//! What machines of others do with this repository: its workflows, and the archives of a release.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use yaml_rust2::{Yaml, YamlLoader};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The workflows, by name.
fn workflows() -> Vec<(String, Yaml)> {
    let files = fs::read_dir(Path::new(ROOT).join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
    let workflow = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let documents = YamlLoader::load_from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let [document] = <[Yaml; 1]>::try_from(documents).unwrap();
        (name, document)
    };
    files.map(workflow).collect()
}

fn jobs(workflow: &Yaml) -> Vec<(&str, &Yaml)> {
    workflow["jobs"].as_hash().unwrap().iter().map(|(name, job)| (name.as_str().unwrap(), job)).collect()
}

/// What is wrong with a command of a workflow: it calls a make target or a script that there is, or it is said.
fn wrong(command: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    match words.next()? {
        "make" => {
            let makefile = read("Makefile");
            words
                .find(|target| !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))))
                .map(|target| format!("no target {target}"))
        }
        script if script.starts_with(".ci/") => {
            let about = fs::metadata(Path::new(ROOT).join(script));
            let runs =
                about.is_ok_and(|about| about.is_file() && std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o111 != 0);
            (!runs).then(|| format!("no script {script}"))
        }
        other => Some(format!("{other} is neither make nor a script of .ci")),
    }
}

#[test]
fn every_line_that_a_workflow_runs_is_a_make_target_or_a_script_that_there_is() {
    let mut lines = 0;
    for (name, workflow) in workflows() {
        for (job, steps) in jobs(&workflow).into_iter().map(|(job, text)| (job, text["steps"].as_vec().unwrap())) {
            for line in steps.iter().filter_map(|step| step["run"].as_str()).flat_map(str::lines) {
                lines += 1;
                assert_eq!(wrong(line), None, "{name}, {job}: {line}");
            }
        }
    }
    assert!(lines >= 10);
    assert!(wrong("make nothing").is_some() && wrong(".ci/nothing").is_some() && wrong("cargo test").is_some());
}

#[test]
fn workflows_may_write_only_where_a_release_is_made_and_their_actions_are_pinned() {
    let workflows = workflows();
    assert_eq!(workflows.len(), 2);
    for (name, workflow) in &workflows {
        let permissions =
            |of: &Yaml| of["permissions"].as_hash().map(|hash| hash.iter().map(|(key, value)| (key.clone(), value.clone())).collect());
        let string = |text: &str| Yaml::String(text.into());
        assert_eq!(permissions(workflow), Some(vec![(string("contents"), string("read"))]), "{name}");
        for (job, text) in jobs(workflow) {
            let own: Option<Vec<(Yaml, Yaml)>> = permissions(text);
            let expected = (job == "publish").then(|| vec![(string("contents"), string("write"))]);
            assert_eq!(own, expected, "{name}, {job}");
            assert!(text["timeout-minutes"].as_i64().is_some(), "{name}, {job}: it may run for six hours");
            for action in text["steps"].as_vec().unwrap().iter().filter_map(|step| step["uses"].as_str()) {
                let (owner, commit) = action.split_once('@').unwrap();
                assert!(
                    owner.starts_with("actions/") && commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{action}"
                );
            }
        }
    }
}

fn run(script: &str, arguments: &[&str]) -> Output {
    Command::new("bash").current_dir(ROOT).arg(script).args(arguments).env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap()
}

#[test]
fn an_archive_has_the_program_its_completions_its_manual_and_its_hash_and_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["one", "two"].map(|name| {
        let out = folder.path().join(name);
        let output = run(".ci/release", &["--binary", env!("CARGO_BIN_EXE_mcsan"), out.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::path::PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    });
    let [one, two] = made.each_ref().map(|archive| fs::read(archive).unwrap());
    assert!(one == two, "the same program gives the same bytes");
    let name = made[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(concat!("mcsan-", env!("CARGO_PKG_VERSION"), "-")) && name.ends_with(".tar.gz"), "{name}");

    let here = folder.path().join("one");
    let call = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).current_dir(&here).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    call("sha256sum", &["--check", &format!("{name}.sha256")]);
    call("tar", &["-xzf", name]);
    let inside = here.join(name.trim_end_matches(".tar.gz"));
    let program = inside.join("mcsan");
    assert_eq!(call(program.to_str().unwrap(), &["--version"]).trim(), concat!("mcsan ", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(fs::read_to_string(inside.join(format!("completions/mcsan.{shell}"))).unwrap().contains("crossval"), "{shell}");
    }
    call("bash", &["-n", inside.join("completions/mcsan.bash").to_str().unwrap()]);
    for page in ["mcsan.1", "mcsan-train.1"] {
        assert!(fs::read_to_string(inside.join("man").join(page)).unwrap().contains(".TH"), "{page}");
    }
    for document in ["README.md", "GUIDE.md", "REFERENCE.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(inside.join(document).exists(), "{document}");
    }
}

#[test]
fn a_tag_is_that_of_the_version_which_the_changelog_names() {
    let said = |arguments: &[&str]| String::from_utf8(run(".ci/tagged", arguments).stderr).unwrap();
    let line = said(&["v99.0.0"]);
    assert!(line.contains(concat!("Cargo.toml has version ", env!("CARGO_PKG_VERSION"))) && line.lines().count() == 1, "{line}");
    assert_eq!(said(&[concat!("v", env!("CARGO_PKG_VERSION"))]), "");
    let changelog = read("CHANGELOG.md");
    assert!(changelog.lines().any(|line| line.starts_with(concat!("## [", env!("CARGO_PKG_VERSION"), "]"))));
}
