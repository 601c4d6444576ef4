"""What each MLflow experiment is about: its name is the paper's, and says too little."""

TITLES = {
    "table1": "Table 1: whether parts of faces mean the same in different images",
    "table2": "Table 2: single networks and ensembles",
    "table3": "Table 3: layers removed and resized",
    "table4": "Table 4: features at work on Caltech-101",
    "table5": "Table 5: features at work on Caltech-256",
    "table6": "Table 6: features at work on PASCAL VOC 2012",
    "table7": "Table 7: what each layer's features are worth",
    "figure2": "Figure 2: what each layer's maps look for",
    "figure4": "Figure 4: how features come about, epoch by epoch",
    "figure5": "Figure 5: how far features move with the image",
    "figure6": "Figure 6: first layers of ZFNet and AlexNet",
    "figure7": "Figure 7: what a grey square hides from the network",
    "figure8": "Figure 8: correspondence of parts of faces",
    "figure9": "Figure 9: accuracy against training images a class",
    "overlap": "Section 5.2: images that the sets share",
    "claims": "The paper's claims, and whether they hold here",
    "caltech101": "Folds of table 4, Caltech-101",
    "caltech256": "Folds of table 5 and figure 9, Caltech-256",
    "voc2012": "Folds of table 6, PASCAL VOC 2012",
    "probe": "Folds of table 7, each layer's features",
}


def title(element: str) -> str:
    return TITLES.get(element, element)
