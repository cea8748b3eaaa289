// Before the first picture, so that it has the right colours.
document.documentElement.dataset.theme = JSON.parse(localStorage.getItem("chatctl") ?? "{}").theme ?? "auto";
