// Draws what the server put beside each figure: <figure class="chart" data-chart="ID"> and a JSON block of that id.
//
// {"series": [{"name", "color", "type": line|area|steps|bars, "points": [[unix seconds, value or null], ...]}],
//  "candles": [[unix seconds, open, high, low, close], ...], "levels": [{"price", "title", "color"}],
//  "markers": [{"time", "text", "color", "shape", "position"}], "digits": 2}
// Colours are names of the look's custom properties, so that a change of theme only redraws.
"use strict";

(() => {
  const drawn = new Map();
  const probe = document.createElement("span");
  probe.hidden = true;

  const color = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };

  const faint = (shown) => shown.replace("rgb(", "rgba(").replace(")", ", 0.18)");

  const look = () => ({
    layout: {
      background: { type: "solid", color: "transparent" },
      textColor: color("muted"),
      attributionLogo: false, // the footer names it; the logo brings a style element that our policy refuses
      fontFamily: getComputedStyle(document.body).fontFamily,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: color("line") } },
    rightPriceScale: { borderColor: color("line") },
    timeScale: { borderColor: color("line"), timeVisible: true, secondsVisible: false },
  });

  const makers = {
    line: (chart, given) => chart.addSeries(LightweightCharts.LineSeries, lineStyle(given)),
    steps: (chart, given) => chart.addSeries(LightweightCharts.LineSeries, { ...lineStyle(given), lineType: 1 }),
    area: (chart, given) => chart.addSeries(LightweightCharts.AreaSeries, {
      ...common(given), lineColor: color(given.color), topColor: faint(color(given.color)), bottomColor: "transparent", lineWidth: 2,
    }),
    bars: (chart, given) => chart.addSeries(LightweightCharts.HistogramSeries, { ...common(given), color: color(given.color) }),
  };
  const common = (given) => ({ priceLineVisible: false, lastValueVisible: false, priceFormat: given.priceFormat });
  const lineStyle = (given) => ({
    ...common(given), color: color(given.color), lineWidth: given.width || 2, lineStyle: given.dashed ? 2 : 0,
    crosshairMarkerRadius: 3,
  });

  const points = (rows) => rows.map(([time, value]) => (value === null ? { time } : { time, value }));

  function draw(figure) {
    const source = document.getElementById(figure.dataset.chart);
    const canvas = figure.querySelector(".canvas");
    if (!source || !canvas) return;
    const known = drawn.get(canvas);
    if (known && known.text === source.textContent && known.theme === color("text")) return;
    const view = known?.chart.timeScale().getVisibleLogicalRange();
    known?.chart.remove();
    const given = JSON.parse(source.textContent);
    const chart = LightweightCharts.createChart(canvas, { ...look(), autoSize: true, localization: localization(given) });
    fill(chart, given);
    if (view && known.length === lengthOf(given)) chart.timeScale().setVisibleLogicalRange(view);
    else chart.timeScale().fitContent();
    drawn.set(canvas, { chart, text: source.textContent, theme: color("text"), length: lengthOf(given) });
  }

  const lengthOf = (given) => (given.candles || given.series?.[0]?.points || []).length;

  const localization = (given) => ({
    locale: "en-GB",
    priceFormatter: (value) => value.toLocaleString("en-GB", {
      minimumFractionDigits: given.digits ?? 2, maximumFractionDigits: given.digits ?? 2,
    }),
  });

  function fill(chart, given) {
    const format = { type: "price", precision: given.digits ?? 2, minMove: 10 ** -(given.digits ?? 2) };
    let first = null;
    if (given.candles?.length) {
      first = chart.addSeries(LightweightCharts.CandlestickSeries, {
        upColor: color("good"), wickUpColor: color("good"), downColor: color("bad"), wickDownColor: color("bad"),
        borderVisible: false, priceLineVisible: false, priceFormat: format,
      });
      first.setData(given.candles.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
    }
    for (const each of given.series || []) {
      const made = makers[each.type || "line"](chart, { ...each, priceFormat: format });
      made.setData(points(each.points));
      first ??= made;
    }
    for (const level of given.levels || []) {
      first?.createPriceLine({
        price: level.price, title: level.title, color: color(level.color), lineWidth: 1, lineStyle: level.dashed ? 2 : 0,
        axisLabelVisible: true,
      });
    }
    if (first && given.markers?.length) {
      LightweightCharts.createSeriesMarkers(first, given.markers.map((mark) => ({ ...mark, color: color(mark.color) })));
    }
  }

  function drawAll() {
    if (!probe.isConnected) document.body.append(probe);
    for (const [canvas, known] of drawn) {
      if (!canvas.isConnected) {
        known.chart.remove();
        drawn.delete(canvas);
      }
    }
    document.querySelectorAll("figure[data-chart]").forEach(draw);
  }

  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("alphapulse:theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
