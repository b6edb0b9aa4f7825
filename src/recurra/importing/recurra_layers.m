function recurra_layers(net, file)
%RECURRA_LAYERS Write a trained network as plain structs that recurra.import_weights reads.
%   recurra_layers(net, 'net.mat') writes the layers of a SeriesNetwork, DAGNetwork or dlnetwork in their order:
%   class, name, learnables, initial states, options, and what an input layer has learned about its channels.
%   Larger than 2 GB: it is written with -v7.3 by itself.
words = {'InputWeights', 'RecurrentWeights', 'Bias', 'Weights', 'Offset', 'Scale', 'TrainedMean', 'TrainedVariance', ...
    'Epsilon', 'HiddenState', 'CellState', 'OutputMode', 'StateActivationFunction', 'GateActivationFunction', ...
    'ResetGateMode', 'Normalization', 'Mean', 'StandardDeviation', 'Min', 'Max', 'PaddingMode', 'DilationFactor', ...
    'Stride', 'Classes'};
layers = net.Layers;
if isprop(net, 'Connections')
    check_chain(layers, net.Connections);
end
list = cell(1, numel(layers));
for k = 1:numel(layers)
    layer = layers(k);
    one = struct('class', class(layer), 'name', char(layer.Name));
    for w = 1:numel(words)
        if isprop(layer, words{w})
            one.(words{w}) = plain(layer.(words{w}));
        end
    end
    list{k} = one;
end
recurra_network = struct('version', 1, 'layers', {list});
bytes = whos('recurra_network');
if bytes.bytes < 2^31 - 2^20
    save(file, 'recurra_network', '-v7');
else
    save(file, 'recurra_network', '-v7.3');
end
end

function value = plain(value)
% Numbers as double or single, words as char, names of classes as a cell array of char.
if isa(value, 'dlarray')
    value = extractdata(value);
end
if isa(value, 'gpuArray')
    value = gather(value);
end
if isa(value, 'categorical') || (isstring(value) && numel(value) > 1)
    value = cellstr(value(:)');
elseif isstring(value)
    value = char(value);
elseif isa(value, 'function_handle')
    value = func2str(value);
elseif isnumeric(value) && ~isa(value, 'single')
    value = double(value);
end
end

function check_chain(layers, connections)
% A network with branches has no order that the list of layers tells.
source = string(connections.Source);
target = string(connections.Destination);
for k = 1:height(connections)
    from = find(string({layers.Name}) == source(k));
    to = find(string({layers.Name}) == target(k));
    if isempty(from) || isempty(to) || to ~= from + 1
        error('recurra:branches', ['recurra_layers: %s does not feed the next layer alone; networks with branches ' ...
            'are not written. Export it with exportONNXNetwork.'], source(k));
    end
end
end
