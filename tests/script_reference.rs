//! What host functions compare results with, `torch.…` and `torch.nn.functional.…` on the host: every
//! row was computed by NumPy 2.4 from the definition.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod in_process;

use in_process::{launch, simulate};

/// An expression, and `tolist()` of what NumPy makes of the same.
const MADE_BY_NUMPY: &[(&str, &str)] = &[
    ("x.cumsum(1)", "[[1.5, -0.5, -0.25], [3.0, 3.5, 2.5]]"),
    ("torch.cumsum(i, dim=0)", "[[3, 1, 2], [3, 6, 7]]"),
    (
        "c.cumsum(-2)",
        "[[[-1.0, -0.75], [-1.5, -1.0], [-1.5, -0.75]], [[0.5, 0.75], [1.5, 2.0], [3.0, 3.75]]]",
    ),
    ("v.sort()[0]", "[1.0, 1.0, 2.0, 3.0]"),
    ("v.sort()[1]", "[1, 3, 2, 0]"),
    ("torch.sort(i, dim=0, descending=True)[0]", "[[3, 5, 5], [0, 1, 2]]"),
    ("v.argsort(descending=True)", "[0, 2, 1, 3]"),
    ("torch.topk(v, 2)[0]", "[3.0, 2.0]"),
    ("x.topk(2, dim=1, largest=False)[1]", "[[1, 2], [2, 1]]"),
    ("x.var()", "3.14375"),
    ("x.var(1)", "[3.145833333333333, 4.083333333333333]"),
    ("x.std(0, correction=0)", "[0.75, 1.25, 0.625]"),
    ("x.var(0, unbiased=False, keepdim=True)", "[[0.5625, 1.5625, 0.390625]]"),
    ("x.logsumexp(1)", "[1.7751302622476355, 3.0956743294143823]"),
    (
        "torch.logsumexp(x, dim=0, keepdim=True)",
        "[[3.2014132779827524, 0.5788897342925495, 0.501929081345373]]",
    ),
    ("x.norm()", "4.0697051490249265"),
    ("torch.norm(x, dim=1)", "[2.5124689052802225, 3.2015621187164243]"),
    ("x.norm(1, dim=0)", "[4.5, 2.5, 1.25]"),
    ("x.norm(float('inf'))", "3.0"),
    ("x.index_select(1, [2, 0])", "[[0.25, 1.5], [-1.0, 3.0]]"),
    (
        "torch.index_select(c, 1, torch.tensor([1, 1]))",
        "[[[-0.5, -0.25], [-0.5, -0.25]], [[1.0, 1.25], [1.0, 1.25]]]",
    ),
    ("x.gather(1, torch.tensor([[2], [0]]))", "[[0.25], [3.0]]"),
    ("c.gather(1, torch.tensor([[[0, 2]], [[1, 1]]]))", "[[[-1.0, 0.25]], [[1.0, 1.25]]]"),
    ("v[[3, 0, -1]]", "[1.0, 3.0, 1.0]"),
    (
        "x[torch.tensor([[1, 0], [0, 0]])]",
        "[[[3.0, 0.5, -1.0], [1.5, -2.0, 0.25]], [[1.5, -2.0, 0.25], [1.5, -2.0, 0.25]]]",
    ),
    ("x[x > 0]", "[1.5, 0.25, 3.0, 0.5]"),
    ("x[torch.tensor([True, False])]", "[[1.5, -2.0, 0.25]]"),
    ("c[c[:, :, 0] > 0]", "[[0.5, 0.75], [1.0, 1.25], [1.5, 1.75]]"),
    ("torch.round(torch.tensor([0.5, 1.5, -2.5, 2.4]))", "[0.0, 2.0, -2.0, 2.0]"),
    ("x.sign()", "[[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]]"),
    ("i.sign()", "[[1, 1, 1], [0, 1, 1]]"),
    ("torch.isnan(nans)", "[False, True, False, False]"),
    ("nans.isinf()", "[False, False, True, False]"),
    ("nans.isfinite()", "[True, False, False, True]"),
    ("torch.pow(v, 2)", "[9.0, 1.0, 4.0, 1.0]"),
    ("v.pow(0.5)", "[1.7320508075688772, 1.0, 1.4142135623730951, 1.0]"),
    ("torch.outer(v, g)", "[[3.0, 6.0, 1.5], [1.0, 2.0, 0.5], [2.0, 4.0, 1.0], [1.0, 2.0, 0.5]]"),
    ("torch.stack([g, g * 2], dim=1)", "[[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]]"),
    ("c.sum((0, 2))", "[-0.5, 1.5, 3.5]"),
    ("c.mean(dim=(1, -1), keepdim=True)", "[[[-0.375]], [[1.125]]]"),
    ("c.amax([0, 1])", "[1.5, 1.75]"),
    ("torch.einsum('ij,kj->ik', x, w)", "[[-1.5, 3.0625], [3.0, 5.75]]"),
    ("torch.einsum('ij->ji', x)", "[[1.5, 3.0], [-2.0, 0.5], [0.25, -1.0]]"),
    (
        "torch.einsum('bij,bkj->bik', c, c)",
        "[[[1.5625, 0.6875, -0.1875], [0.6875, 0.3125, -0.0625], [-0.1875, -0.0625, 0.0625]], [[0.8125, 1.4375, 2.0625], [1.4375, 2.5625, 3.6875], [2.0625, 3.6875, 5.3125]]]",
    ),
    ("torch.einsum('ij,j', x, g)", "[-2.375, 3.5]"),
    ("torch.einsum('ii', x[:, :2])", "2.0"),
    ("torch.einsum('ij,ij->', x, w)", "4.25"),
    (
        "torch.einsum('i,j,k->kji', b, b, g)",
        "[[[0.015625, -0.0625], [-0.0625, 0.25]], [[0.03125, -0.125], [-0.125, 0.5]], [[0.0078125, -0.03125], [-0.03125, 0.125]]]",
    ),
    ("F.linear(x, w)", "[[-1.5, 3.0625], [3.0, 5.75]]"),
    ("F.linear(x, w, b)", "[[-1.375, 2.5625], [3.125, 5.25]]"),
    (
        "F.layer_norm(x, (3,), g, -g)",
        "[[0.09332453493359538, -4.64699624247081, -0.38491320684909525], [0.3131958959276271, -2.404060275670039, -1.055582879046304]]",
    ),
    (
        "F.layer_norm(x, [3], eps=0.5)",
        "[[0.9824666109905364, -1.1893016869885442, 0.20683507599800766], [1.207019698150837, -0.1856953381770519, -1.0213243599737853]]",
    ),
    (
        "F.rms_norm(x, (3,), weight=g)",
        "[[1.0340705241242012, -2.757521397664537, 0.08617254367701678], [1.6230029672768225, 0.5410009890922741, -0.27050049454613706]]",
    ),
    (
        "F.log_softmax(x, dim=-1)",
        "[[-0.2751302622476354, -3.7751302622476355, -1.5251302622476355], [-0.09567432941438225, -2.5956743294143823, -4.095674329414383]]",
    ),
    (
        "F.embedding(torch.tensor([[1, 0], [1, 1]]), x)",
        "[[[3.0, 0.5, -1.0], [1.5, -2.0, 0.25]], [[3.0, 0.5, -1.0], [3.0, 0.5, -1.0]]]",
    ),
    (
        "F.scaled_dot_product_attention(c, c + 1, c * 2)",
        "[[[-1.3881715688674854, -0.8881715688674855], [-1.1747361609305227, -0.6747361609305227], [-0.9411510312507791, -0.4411510312507793]], [[2.2854258361613335, 2.7854258361613335], [2.4811099880019842, 2.9811099880019842], [2.6346534509980577, 3.1346534509980577]]]",
    ),
    (
        "F.scaled_dot_product_attention(c, c, c, is_causal=True, scale=0.5)",
        "[[[-1.0, -0.75], [-0.7733690759923069, -0.523369075992307], [-0.4791802185654019, -0.22918021856540186]], [[0.5, 0.75], [0.8185153972401914, 1.0685153972401913], [1.2447456576895433, 1.4947456576895433]]]",
    ),
    (
        "F.scaled_dot_product_attention(c, c, c, attn_mask=torch.eye(3, dtype=torch.float64))",
        "[[[-0.8422787538576499, -0.59227875385765], [-0.5560206683205524, -0.3060206683205524], [-0.28975174154203576, -0.03975174154203581]], [[0.9777421237206125, 1.2277421237206125], [1.1637996232294614, 1.4137996232294614], [1.4174278793951534, 1.6674278793951534]]]",
    ),
    (
        "F.scaled_dot_product_attention(c, c, c, attn_mask=torch.tensor([[True, False, True]]))",
        "[[[-0.7751175487874865, -0.5251175487874865], [-0.6295600959696415, -0.37956009596964146], [-0.45592055665077397, -0.20592055665077397]], [[1.2076263259745146, 1.4576263259745146], [1.3307553797708798, 1.5807553797708798], [1.4087193138925327, 1.6587193138925327]]]",
    ),
    ("F.cross_entropy(x, torch.tensor([2, 0]))", "0.8104022958310089"),
    ("F.mse_loss(x, w)", "2.3958333333333335"),
];

const DATA: &str = "
    x = torch.tensor([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]], dtype=torch.float64)
    v = torch.tensor([3.0, 1.0, 2.0, 1.0], dtype=torch.float64)
    i = torch.tensor([[3, 1, 2], [0, 5, 5]])
    c = torch.arange(12, dtype=torch.float64).reshape(2, 3, 2) / 4 - 1
    w = torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.0, 0.25]], dtype=torch.float64)
    b = torch.tensor([0.125, -0.5], dtype=torch.float64)
    g = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    nans = torch.tensor([1.0, float('nan'), -float('inf'), 0.5], dtype=torch.float64)
";

#[test]
fn elements_are_put_where_an_array_says() {
    let text = format!(
        "import torch

def run():{DATA}
    x[x > 1] = 0.0
    torch.testing.assert_equal(x, [[0.0, -2.0, 0.25], [0.0, 0.5, -1.0]])
    x[[1, 0]] = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.float64)
    torch.testing.assert_equal(x, [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]])
    x[0][torch.tensor([2])] = 9
    v[[]] = 5
    torch.testing.assert_equal(x[0], [4.0, 5.0, 9.0])
    assert v[[]].shape == (0,) and torch.zeros((0, 3)).cumsum(0).dtype == 'f32'
    assert x.norm(0).item() == 6.0 and x.norm(-float('inf')).item() == 1.0
"
    );
    let found = simulate(&text, &launch(1, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

/// What an assertion says, and whether it is a check of data.
const ASSERTIONS: &[(&str, bool)] = &[
    ("assert (x.numpy() == 2.0).all()", true),
    ("assert torch.allclose(x, np.full(4, 2.0))", true),
    ("assert x[1].item() == 2.0", true),
    ("got = x.numpy()\n    assert got.sum() == 8", true),
    ("assert x.shape == (4,) and 1 < 2", false),
    ("got = x.tolist()\n    assert len(got) == 4", false),
    ("assert np.sum([1, 2]) == 3", false),
    ("print(x)", false),
];

#[test]
fn an_assertion_that_looks_at_what_came_back_is_a_check() {
    for (text, is_check) in ASSERTIONS {
        let program = format!(
            "import torch\nimport numpy as np

def double(x_ptr, tl):
    tl.store(x_ptr, tl.load(x_ptr, shape=(4,), dtype='f32') * 2.0)

def run():
    x = torch.ones(4)
    torch.launch(double, x)
    {text}
"
        );
        let found = simulate(&program, &launch(1, "", ""), None);
        let wanted = if *is_check { "verified" } else { "unchecked" };
        assert_eq!(found.verdict, wanted, "{text}\n{}", found.text());
    }
}

#[test]
fn references_are_what_their_definitions_say() {
    let mut text = format!("import torch\nimport torch.nn.functional as F\n\ndef run():{DATA}");
    for (expression, list) in MADE_BY_NUMPY {
        text += &format!("    found, wanted = {expression}, torch.tensor({list})\n");
        text += &format!("    assert found.shape == wanted.shape, ({expression:?}, found.shape)\n");
        text += "    near = torch.allclose(found, wanted, 1e-6, 1e-6)\n";
        text += &format!("    assert near, ({expression:?}, found.tolist())\n");
    }
    text += "    torch.testing.assert_equal(v, v)\n";
    let found = simulate(&text, &launch(1, "", ""), None);
    assert_eq!(found.verdict, "verified", "{}", found.text());
}

/// A mistake, the code that it is told with, and what the message must say.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("x.cumsum(2)", "K0806", "dimension 2"),
    ("i.var()", "K0803", "elements of i64"),
    ("x.topk(4)", "K0807", "an axis of 3"),
    ("x.topk(-1)", "K0807", "an axis of 3"),
    ("x[[0, 2]]", "K0806", "index 2"),
    ("x[[0.5]]", "K0803", "ints"),
    ("x[torch.tensor([True, False, True])]", "K0813", "truth values of shape [3]"),
    ("x.gather(1, torch.tensor([0, 1]))", "K0813", "indices of shape [2]"),
    ("x.gather(1, torch.tensor([[3], [0]]))", "K0806", "index 3"),
    ("torch.einsum('ij,jk->ik', x, w)", "K0813", "axis `j` is 3 here and 2 there"),
    ("torch.einsum('ij,jk->ik', x)", "K0813", "2 operands, and 1"),
    ("torch.einsum('ijk->i', x)", "K0813", "`ijk`"),
    ("torch.einsum('ij->iz', x)", "K0813", "axis `z`"),
    ("torch.einsum('ij->ii', x)", "K0813", "twice"),
    ("torch.einsum('i.j', x)", "K0813", "`.`"),
    ("x.argmax((0, 1))", "K0803", "an int"),
    ("x.sum((0, 0))", "K0813", "once"),
    ("torch.stack([x], dim=3)", "K0806", "dimension 3"),
    ("F.linear(x, b)", "K0813", "do not multiply"),
    ("F.layer_norm(x, (2,))", "K0813", "last axis"),
    ("F.scaled_dot_product_attention(c, c, c, dropout_p=0.5)", "K0803", "0.0"),
    ("F.cross_entropy(x, torch.tensor([3, 0]))", "K0806", "index 3"),
    ("F.cross_entropy(g, torch.tensor([1]))", "K0813", "axis 1"),
];

#[test]
fn mistakes_are_told_where_they_are() {
    let mut wrong = String::new();
    for (expression, code, said) in MISTAKES {
        let text = format!(
            "import torch\nimport torch.nn.functional as F\n\ndef run():{DATA}    {expression}\n"
        );
        let found = simulate(&text, &launch(1, "", ""), None);
        let is_told = found.codes() == [*code] && found.text().contains(said);
        wrong += &if is_told { String::new() } else { format!("{expression}\n{}", found.text()) };
    }
    assert!(wrong.is_empty(), "{wrong}");
}
